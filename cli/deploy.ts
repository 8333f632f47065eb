import * as fs from "node:fs";
import * as path from "node:path";
import { toolEnvironment } from "../infra/host/environment";
import { probe } from "../infra/host/probe";
import { stackFolder } from "../infra/host/folders";
import { settleRecord } from "../results/records";
import type { RunSummary } from "../results/result";
import { follow } from "./terminal/follow";
import { changesLine, failureLines, isTold, seconds, withoutCommand } from "./terminal/lines";
import { howToGetCli, isCliOnPath } from "./runners/pulumiCli";
import type { Outcome, StepEvent } from "./runners/runner";
import type { Session } from "./session";
import { failedRuns, outputLines, summaryOf, withRuns } from "./terminal/stackOutputs";

/**
 * Makes a stack what the program says, shows the outputs, and ends with the reasons of what failed.
 *
 * @param replace URNs of what is done again although nothing about it has changed
 * @returns the exit code
 */
export async function deploy(session: Session, replace: readonly string[] = []): Promise<number> {
  const { stack, runs, runner } = session;
  for (const line of heading(session)) console.log(line);
  const begun = Date.now();
  let [interrupted, touched] = [false, false];
  const told = new Set<string>();
  const outcome = await follow(session, (watch) => {
    watch.stop.addEventListener("abort", () => (interrupted = true));
    const onEvent = (event: StepEvent) => {
      touched ||= "op" in event && isTold(event);
      if (event.kind === "log" && event.severity === "error") told.add(event.message);
      watch.onEvent(event);
    };
    return runner.up({ ...watch, onEvent }, replace);
  });
  if (!outcome.ok && !interrupted && !touched) {
    for (const error of outcome.errors.filter((each) => !told.has(each))) console.log(error);
    console.log("\nfailed, and nothing was changed");
    return 1;
  }
  const took = seconds((Date.now() - begun) / 1000);
  console.log(`\n${changesLine(outcome.changes)} in ${took}\n`);
  if (outcome.ok) settle(session, outcome);
  const report = outcome.ok || interrupted ? {} : await reportOf(session);
  const outputs = withRuns(stack, runs, { ...outcome.outputs, ...report });
  for (const line of outputLines(stack, runs, outputs)) console.log(line);
  if (!outcome.ok) {
    for (const line of whyFailed(session, outcome, interrupted)) console.log(line);
    return 1;
  }
  const hint = dockerHint(session);
  if (hint) console.log(`\n${hint}`);
  return 0;
}

/** What the state says of runs stands now. */
function settle({ stack, runs }: Session, { outputs }: Outcome): void {
  const standing = (outputs.runs ?? {}) as Readonly<Record<string, RunSummary>>;
  for (const run of runs) if (run in standing) settleRecord(stack, run, standing[run]);
}

/** After a failure the program leaves the report out, so it is rendered here from what is known. */
async function reportOf({ stack, runs }: Session): Promise<{ reportUrl?: string }> {
  if (!runs.some((run) => summaryOf(stack, run))) return {};
  const { renderReport } = await import("../report/renderReport");
  return { reportUrl: await renderReport(stack, runs) };
}

function heading({ project, stack, configuration, runner }: Session): string[] {
  const by = runner.name === "pulumi" ? "the Pulumi CLI" : "the embedded runner";
  const target = configuration.all[`${project.name}:target`];
  const kept = Object.entries(configuration.overlay).map(([key, { text, secret }]) => {
    const name = key.startsWith(`${project.name}:`) ? key.slice(project.name.length + 1) : key;
    return `${name}=${secret ? "[secret]" : text}`;
  });
  return [
    `stack ${stack}, target ${target}, by ${by}; its folder is ${stackFolder(stack)}`,
    ...(kept.length > 0 ? [`settings kept for this stack: ${kept.join(" ")}`] : []),
  ];
}

/** The reasons, last of all that is printed. */
function whyFailed({ stack, runs }: Session, { errors }: Outcome, interrupted: boolean): string[] {
  const isOf = (run: string) => (error: string) => error.startsWith(`${run}: `);
  const failed = failedRuns(stack, runs).filter(([run]) => errors.some(isOf(run)));
  const others = errors.filter((error) => !failed.some(([run]) => isOf(run)(error)));
  // Its own words about being stopped are no reasons.
  if (interrupted) return ["", "interrupted: the same command goes on from here"];
  return [
    "",
    ...(failed.length > 0 ? [`${failed.length} of ${runs.length} runs failed:`] : []),
    ...failed.flatMap(([run, failure]) => [
      `  ${run}: ${failure.reason.split("\n")[0]}`,
      ...failureLines(failure).map((line) => `    ${line}`),
    ]),
    ...others.flatMap((error) => withoutCommand(error).split("\n")).filter((line) => line.trim()),
    "failed: see the reasons above",
  ];
}

/** Where Docker answers, how to have the containers of the project's other stack. */
function dockerHint({ project, configuration }: Session): string | undefined {
  if (configuration.all[`${project.name}:target`] !== "local") return undefined;
  if (!fs.existsSync(path.join(project.folder, "Pulumi.dev.yaml"))) return undefined;
  const server = ["docker", "version", "--format", "{{.Server.Version}}"];
  if (probe(server, 3_000, toolEnvironment("docker")) === undefined) return undefined;
  const words = "Docker answers: `npm start -- --stack dev` runs the same in containers";
  return isCliOnPath() ? words : `${words}.\nIt needs the Pulumi CLI: ${howToGetCli}`;
}
