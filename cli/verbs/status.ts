import { stackFolder } from "../../infra/host/folders";
import { readProgress } from "../../results/records";
import { isDeploying } from "../deploying";
import { phaseWords, runWords, seconds } from "../terminal/lines";
import { noStack } from "../noStack";
import type { ServiceView } from "../../infra/contracts/target";
import { targetOf } from "../../infra/targets";
import { describeStack } from "../session";
import { summaryOf } from "../terminal/stackOutputs";
import type { Verb } from "../verb";

export const status: Verb = {
  usage: "[--json]",
  summary: "say which services stand, what the runs came to, and what goes on",
  syntax: { options: { json: { type: "boolean" } } },
  async run(args) {
    const { stack } = args;
    const described = await describeStack(stack);
    if (!described) throw noStack(stack);
    const services = (await (await targetOf(stack)?.services())?.status(stack)) ?? [];
    const deploying = isDeploying(described.project.name, stack);
    const runs = described.runs.map((run) => ({
      run,
      ...(deploying ? { progress: readProgress(stack, run) } : {}),
      summary: summaryOf(stack, run),
    }));
    if (args.flag("json")) {
      console.log(JSON.stringify({ deploying, services, runs }, undefined, 2));
      return 0;
    }
    console.log(`stack ${stack} in ${stackFolder(stack)}${deploying ? ", being deployed" : ""}`);
    for (const service of services) console.log(serviceLine(service));
    for (const { run, progress, summary } of runs) {
      const now = progress ? `  (now: ${phaseWords(progress, Date.now())})` : "";
      console.log(`${run.padEnd(24)}  ${runWords(summary)}${now}`);
    }
    return 0;
  },
};

function serviceLine({ name, state, pid, uptime, url }: ServiceView): string {
  const more = [
    ...(pid === undefined ? [] : [`pid ${pid}`]),
    ...(uptime === undefined ? [] : [`for ${seconds(uptime, 0)}`]),
    ...(url === undefined ? [] : [url]),
  ];
  return `${name.padEnd(24)}  ${state}${more.length > 0 ? `  ${more.join(", ")}` : ""}`;
}
