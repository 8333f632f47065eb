import * as fs from "node:fs";
import * as path from "node:path";
import { stackFolder } from "../infra/host/folders";

/** Holds the pid of the process whose user asked to stop: without that process it says nothing. */
function file(stack: string): string {
  return path.join(stackFolder(stack), "stopping");
}

/** Lets runs of the stack that wait for their turn end instead; until {@link goOn}. */
export function stopWaiting(stack: string): void {
  fs.mkdirSync(stackFolder(stack), { recursive: true, mode: 0o700 });
  fs.writeFileSync(file(stack), String(process.pid));
}

/** Takes {@link stopWaiting} back. */
export function goOn(stack: string): void {
  fs.rmSync(file(stack), { force: true });
}

/** Whether a run that waits for its turn should end. */
export function isStopping(stack: string): boolean {
  try {
    const pid = Number(fs.readFileSync(file(stack), "utf8"));
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}
