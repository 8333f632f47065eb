import { spawn, type ChildProcess } from "node:child_process";
import { Docker } from "./daemon";
import { find } from "./inspect";
import { names } from "./names";
import { readOwner } from "../../stack/owner";
import type { ServiceLog, Services, ServiceView } from "../../contracts/target";

/** The services of target `docker`: the stack's containers. */
export const dockerServices: Services = {
  async status(stack) {
    const { containers } = find(Docker.of(stack), readOwner(stack)?.id);
    return [...containers].map(([name, { status }]) => ({ name, state: status })).sort(byName);
  },

  shell(stack) {
    return docker(stack, [
      "exec",
      process.stdin.isTTY ? "-it" : "-i",
      names(stack).container("app"),
      "bash",
    ]);
  },

  logs(stack) {
    const { containers } = find(Docker.of(stack), readOwner(stack)?.id);
    return new Map<string, ServiceLog>(
      [...containers.keys()].map((name) => [
        name,
        {
          command: (lines, follow) =>
            docker(stack, ["logs", "--tail", String(lines), ...(follow ? ["--follow"] : []), name]),
        },
      ]),
    );
  },
};

function byName(a: ServiceView, b: ServiceView): number {
  return a.name < b.name ? -1 : 1;
}

function docker(stack: string, args: readonly string[]): ChildProcess {
  return spawn("docker", args, { env: Docker.of(stack).environment, stdio: "inherit" });
}
