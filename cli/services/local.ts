import * as fs from "node:fs";
import * as path from "node:path";
import { stackFiles, supervisorSocket } from "../../infra/stack/files";
import { callSupervisor } from "../../infra/targets/local/supervisorRpc";
import { serviceStatus, shellEnvironment } from "../../infra/targets/local/status";
import type { ServiceLog, Services, ServiceView } from "../services";
import { shellHere } from "./shellHere";

/** The services of target `local`: processes under the stack's supervisor. */
export const localServices: Services = {
  async status(stack) {
    return [await supervisor(stack), ...(await serviceStatus(stack))];
  },

  shell: (stack) => shellHere(stack, shellEnvironment(stack)),

  logs(stack) {
    const { logs } = stackFiles(stack);
    const names = fs.existsSync(logs) ? fs.readdirSync(logs) : [];
    const files = names.filter((name) => name.endsWith(".log"));
    return new Map<string, ServiceLog>(
      files.map((name) => [name.slice(0, -".log".length), { file: path.join(logs, name) }]),
    );
  },
};

async function supervisor(stack: string): Promise<ServiceView> {
  try {
    const pid = await callSupervisor(supervisorSocket(stack), "getPID", [], 5_000);
    return { name: "supervisor", state: "RUNNING", pid: Number(pid) };
  } catch {
    return { name: "supervisor", state: "DEAD" };
  }
}
