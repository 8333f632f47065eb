import * as fs from "node:fs";
import * as path from "node:path";
import { stackFolder } from "../infra/host/folders";
import { isAlive, stackLocks } from "./runners/pulumiLock";

/** Whether a deployment of the stack goes on, by either runner, as far as this machine can tell. */
export function isDeploying(project: string, stack: string): boolean {
  if (stackLocks(project, stack).living) return true;
  try {
    const file = path.join(stackFolder(stack), "lock.json");
    const { pid } = JSON.parse(fs.readFileSync(file, "utf8")) as { pid: number };
    return isAlive(pid);
  } catch {
    return false;
  }
}
