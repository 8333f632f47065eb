import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { checkout } from "../../infra/folders";
import { places, supervisorSocket } from "../../infra/local/places";
import { callSupervisor } from "../../infra/local/processes/supervisorRpc";
import { serviceStatus, shellEnvironment } from "../../infra/local/services";
import type { ServiceLog, Services, ServiceView } from "../services";

/** The services of target `local`: processes under the stack's supervisor. */
export const localServices: Services = {
  async status(stack) {
    return [await supervisor(stack), ...(await serviceStatus(stack))];
  },

  shell(stack) {
    const program = process.env.SHELL || "/bin/sh";
    const environment = shellEnvironment(stack);
    const startUp = path.join(places(stack).root, `bashrc.${process.pid}`);
    const child = spawn(program, shellArguments(stack, program, environment.PATH, startUp), {
      cwd: checkout,
      env: { ...process.env, ...environment },
      stdio: "inherit",
    });
    return child.once("close", () => fs.rmSync(startUp, { force: true }));
  },

  logs(stack) {
    const { logs } = places(stack);
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

/**
 * The user's own start-up file may put another Python first, so ours goes first again after it.
 *
 * @param startUp file to write that to
 */
function shellArguments(
  stack: string,
  program: string,
  searchPath: string,
  startUp: string,
): string[] {
  if (!process.stdin.isTTY) return [];
  if (path.basename(program) !== "bash") return ["-i"];
  const [bin] = searchPath.split(path.delimiter);
  const quoted = `'${bin.replaceAll("'", "'\\''")}'`;
  const lines = [
    "[ -f ~/.bashrc ] && . ~/.bashrc",
    `PATH=${quoted}:$PATH`,
    `PS1="(${stack}) $PS1"`,
  ];
  fs.writeFileSync(startUp, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
  return ["--rcfile", startUp, "-i"];
}
