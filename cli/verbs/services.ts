import { spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { toolEnvironment } from "../../infra/host/environment";
import { stackFiles } from "../../infra/stack/files";
import { readProgress, summaryOf } from "../../results/records";
import { noStack, WrongUse } from "../errors";
import { isDeploying } from "../runners/pulumiLeft";
import type { ServiceLog, ServiceView } from "../../infra/contracts/target";
import { targetOf } from "../../infra/targets";
import { describeStack } from "../session";
import { phaseWords, runWords, seconds } from "../terminal/lines";
import { verb } from "../verb";

export const status = verb({
  summary: "show which services are running, the outcome of the runs, and what is in progress",
  options: { json: { type: "boolean", help: "prints one JSON object" } },
  async run({ stack, options }) {
    const described = await describeStack(stack);
    if (!described) throw noStack(stack);
    const services = (await (await servicesOf(stack))?.status(stack)) ?? [];
    const deploying = isDeploying(described.project.name, stack);
    const runs = described.runs.map((run) => ({
      run,
      ...(deploying ? { progress: readProgress(stack, run) } : {}),
      summary: summaryOf(stack, run),
    }));
    if (options.json) {
      console.log(JSON.stringify({ deploying, services, runs }, undefined, 2));
      return 0;
    }
    console.log(
      `stack ${stack} in ${stackFiles(stack).root}${deploying ? ", being deployed" : ""}`,
    );
    for (const service of services) console.log(serviceLine(service));
    for (const { run, progress, summary } of runs) {
      const now = progress ? `  (now: ${phaseWords(progress, Date.now())})` : "";
      console.log(`${run.padEnd(24)}  ${runWords(summary)}${now}`);
    }
    return 0;
  },
});

const servicesOf = async (stack: string) => (await targetOf(stack)?.executor())?.services;

function serviceLine({ name, state, pid, uptime, url }: ServiceView): string {
  const more = [
    ...(pid === undefined ? [] : [`pid ${pid}`]),
    ...(uptime === undefined ? [] : [`for ${seconds(uptime, 0)}`]),
    ...(url === undefined ? [] : [url]),
  ];
  return `${name.padEnd(24)}  ${state}${more.length > 0 ? `  ${more.join(", ")}` : ""}`;
}

export const shell = verb({
  summary: "start a shell with the engines' environment, next to the services",
  notes: "The exit code is that of the shell.",
  async run({ stack }) {
    const services = await servicesOf(stack);
    if (!services) throw noStack(stack);
    // Ctrl-C is the shell's.
    process.on("SIGINT", () => undefined);
    return exited(services.shell(stack));
  },
});

export const logs = verb({
  summary: "print the end of the log of a service or of a run's last attempt",
  positionals: [
    {
      name: "service | engine/workload",
      optional: true,
      help: "whose log; without it, lists what has a log",
    },
  ],
  options: {
    follow: { type: "boolean", short: "f", help: "goes on as the log grows, until Ctrl-C" },
    lines: { type: "string", short: "n", value: "n", default: "100", help: "how many lines" },
  },
  async run({ stack, positionals: [name], options: { follow = false, lines } }) {
    if (!/^\d{1,9}$/.test(lines)) {
      throw new WrongUse(`--lines is ${JSON.stringify(lines)}: it takes a whole number`);
    }
    const ofServices = (await servicesOf(stack))?.logs(stack) ?? [];
    const found = new Map([...ofServices, ...runLogs(stackFiles(stack).logs)]);
    if (found.size === 0) throw noStack(stack);
    if (name === undefined) {
      for (const [each, log] of found) {
        console.log(`${each.padEnd(26)}  ${"file" in log ? log.file : ""}`);
      }
      return 0;
    }
    const log = found.get(name);
    if (log === undefined) {
      const names = [...found.keys()].join(", ");
      throw new WrongUse(`no log for ${JSON.stringify(name)}; available: ${names}`);
    }
    if ("command" in log) return exited(log.command(Number(lines), follow));
    console.error(`==> ${log.file}`);
    // -F follows a log that is begun anew, too; --pid ends it with this process.
    const argv = ["-n", lines, ...(follow ? ["-F", `--pid=${process.pid}`] : []), log.file];
    return exited(spawn("tail", argv, { env: toolEnvironment("system"), stdio: "inherit" }));
  },
});

/** Waits for a child. @returns its exit code; 1 when a signal ended it or it never began */
function exited(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.once("close", (code) => resolve(code ?? 1));
  });
}

/** The logs of the newest attempts, by `<engine>/<workload>`. */
export function runLogs(folder: string): Map<string, ServiceLog> {
  const all = fs.existsSync(folder)
    ? fs.readdirSync(folder, { recursive: true, encoding: "utf8" })
    : [];
  const attempts = all
    .map((inside) => inside.split(path.sep))
    .filter((parts) => parts.length === 3 && parts[2].endsWith(".log"))
    // An attempt's name begins with its time, so the newest comes last.
    .sort((a, b) => (a.join("/") < b.join("/") ? -1 : 1));
  return new Map(
    attempts.map((parts) => [`${parts[0]}/${parts[1]}`, { file: path.join(folder, ...parts) }]),
  );
}
