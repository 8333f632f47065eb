import * as fs from "node:fs";
import * as path from "node:path";
import { stackFolder } from "../../infra/host/folders";
import { exited } from "../exited";
import { noStack } from "../noStack";
import type { ServiceLog } from "../../infra/contracts/target";
import { targetOf } from "../../infra/targets";
import { tail } from "../terminal/tail";
import type { Verb } from "../verb";
import { WrongUse } from "../wrongUse";

export const logs: Verb = {
  usage: "[service | engine/workload] [-f] [--lines n]",
  summary: "print the end of a service's log or of the log of a run's last attempt",
  help: [
    "without a name    lists what has a log",
    "-f, --follow      goes on as the log grows, until Ctrl-C",
    "-n, --lines       how many lines of what is there; default 100",
  ],
  syntax: {
    options: {
      follow: { type: "boolean", short: "f" },
      lines: { type: "string", short: "n", default: "100" },
    },
    positionals: [0, 1],
  },
  async run(args) {
    const lines = Number(args.value("lines"));
    if (!Number.isInteger(lines) || lines < 0) {
      throw new WrongUse(`--lines is ${JSON.stringify(args.value("lines"))}: it is a whole number`);
    }
    const { stack } = args;
    const services =
      (await targetOf(stack)?.services())?.logs(stack) ?? new Map<string, ServiceLog>();
    const found = new Map([...services, ...runLogs(path.join(stackFolder(stack), "logs"))]);
    if (found.size === 0) throw noStack(stack);
    const [name] = args.positionals;
    if (name === undefined) {
      for (const [each, log] of found)
        console.log(`${each.padEnd(26)}  ${"file" in log ? log.file : ""}`);
      return 0;
    }
    const log = found.get(name);
    if (log === undefined) {
      throw new WrongUse(
        `${JSON.stringify(name)} has no log: ${[...found.keys()].join(", ")} have`,
      );
    }
    if ("command" in log) return exited(log.command(lines, args.flag("follow")));
    console.error(`==> ${log.file}`);
    await tail(log.file, lines, args.flag("follow"));
    return 0;
  },
};

/** The logs of the newest attempts, by `<engine>/<workload>`. */
export function runLogs(folder: string): Map<string, ServiceLog> {
  const attempts = walk(folder)
    .map((inside) => inside.split(path.sep))
    .filter((parts) => parts.length === 3)
    // An attempt's name begins with its time, so the newest comes last.
    .sort((a, b) => (a.join("/") < b.join("/") ? -1 : 1));
  return new Map(
    attempts.map((parts) => [`${parts[0]}/${parts[1]}`, { file: path.join(folder, ...parts) }]),
  );
}

function walk(folder: string): string[] {
  if (!fs.existsSync(folder)) return [];
  const all = fs.readdirSync(folder, { recursive: true, encoding: "utf8" });
  return all.filter((name) => name.endsWith(".log"));
}
