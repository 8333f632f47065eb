import * as fs from "node:fs";
import { load } from "../../infra/contracts/target";
import { stackFiles } from "../../infra/stack/files";
import { forgetStack } from "../../infra/stack/owner";
import { readPrices } from "../../results/efficiency";
import { settleRecord } from "../../results/history";
import { summaryOf } from "../../results/records";
import type { RunRecord } from "../../results/result";
import { settingsOf } from "../config";
import { noStack, WrongUse } from "../errors";
import type { Outcome, StepEvent } from "../runners/runner";
import { deployOptions, describeStack, openAsItIs, openToDeploy, type Session } from "../session";
import { follow } from "../terminal/follow";
import {
  changesLine,
  expectation,
  failureLines,
  isTold,
  reasonLines,
  seconds,
  withoutCommand,
} from "../terminal/lines";
import { failedRuns, outputLines, withRuns } from "../terminal/stackOutputs";
import { verb } from "../verb";

export const start = verb({
  summary: "set up, deploy the stack, run the pipelines, print the outputs",
  options: deployOptions,
  run: async ({ stack, options }) => deploy(await openToDeploy(stack, options)),
});

export const rerun = verb({
  summary: "repeat these runs, although nothing about them has changed",
  positionals: [{ name: "engine/workload", multiple: true }],
  async run({ stack, positionals }) {
    if (!(await describeStack(stack))) throw noStack(stack);
    const session = await openToDeploy(stack);
    const unknown = positionals.find((name) => !session.runs.includes(name));
    if (unknown !== undefined) throw noRun(unknown, stack, session.runs);
    const isMeant = (urn: string) => positionals.some((name) => urn.endsWith(`::${name}`));
    const existing = await session.runner.resources();
    const commands = existing.filter(({ type }) => type === "command:local:Command");
    return deploy(session, commands.map(({ urn }) => urn).filter(isMeant));
  },
});

/** A run that the settings do not ask for. */
export function noRun(name: string, stack: string, runs: readonly string[]): WrongUse {
  return new WrongUse(
    `${JSON.stringify(name)} is not a run of stack ${stack}; its runs: ${runs.join(", ")}`,
  );
}

export const refresh = verb({
  summary: "read the resources' state, and forget unfinished steps of a killed deployment",
  async run({ stack }) {
    const session = await openAsItIs(stack);
    if (!session) throw noStack(stack);
    const { changes, errors, ok } = await follow(session, (watch) => session.runner.refresh(watch));
    console.log(changesLine(changes));
    for (const line of errors.flatMap((error) => reasonLines(error))) console.log(line);
    return ok ? 0 : 1;
  },
});

export const destroy = verb({
  summary: "end the stack's services and delete its data; history, settings and caches stay",
  async run({ stack }) {
    const session = await openAsItIs(stack);
    if (!session) {
      console.log(`nothing to destroy: stack ${stack} is not deployed`);
      return 0;
    }
    const outcome = await follow(session, (watch) => session.runner.destroy(watch));
    console.log(changesLine(outcome.changes));
    if (!outcome.ok) {
      for (const line of outcome.errors.flatMap((error) => reasonLines(error))) console.log(line);
      console.log("failed: a part of the stack still exists; npm run destroy continues");
      return 1;
    }
    forgetStack(stack);
    const { root, state, stateCopy } = stackFiles(stack);
    for (const file of [state, stateCopy]) fs.rmSync(file, { force: true });
    console.log(`destroyed; results history and settings are kept in ${root}`);
    return 0;
  },
});

/**
 * Makes a stack what the program says, shows the outputs, and ends with the reasons of what failed.
 *
 * @param replace URNs of what is done again although nothing about it has changed
 */
async function deploy(session: Session, replace: readonly string[] = []): Promise<number> {
  const { stack, runs, runner } = session;
  for (const line of heading(session)) console.log(line);
  if (replace.length === 0) console.log(expectation(stack, runs));
  const begun = Date.now();
  let [interrupted, touched] = [false, false];
  const printed = new Set<string>();
  const outcome = await follow(session, (watch) => {
    watch.stop.addEventListener("abort", () => (interrupted = true));
    const onEvent = (event: StepEvent) => {
      touched ||= "op" in event && isTold(event);
      if (event.kind === "log" && event.severity === "error") printed.add(event.message);
      watch.onEvent(event);
    };
    return runner.up({ ...watch, onEvent }, replace);
  });
  if (!outcome.ok && !interrupted && !touched) {
    for (const error of outcome.errors.filter((each) => !printed.has(each))) console.log(error);
    console.log("\nfailed; nothing was changed");
    return 1;
  }
  const took = seconds((Date.now() - begun) / 1000);
  console.log(`\n${changesLine(outcome.changes)} in ${took}\n`);
  // The state's runs are what is deployed now.
  const { runs: deployed = {} } = (outcome.ok ? outcome.outputs : {}) as {
    runs?: Record<string, RunRecord["summary"]>;
  };
  for (const [run, summary] of Object.entries(deployed)) settleRecord(stack, run, summary);
  const report = outcome.ok || interrupted ? {} : await reportOf(session);
  const outputs = withRuns(stack, runs, { ...outcome.outputs, ...report });
  for (const line of outputLines(stack, runs, outputs)) console.log(line);
  if (outcome.ok) return 0;
  for (const line of whyFailed(session, outcome, interrupted)) console.log(line);
  return 1;
}

/** What draws the page: large, and seldom needed. */
export const rendering = () =>
  load(module, "../../report/renderReport", () => import("../../report/renderReport"));

/** After a failure the program leaves the report out, so it is rendered here from what is known. */
async function reportOf({ stack, runs, configuration }: Session): Promise<{ reportUrl?: string }> {
  if (!runs.some((run) => summaryOf(stack, run))) return {};
  const { renderReport } = await rendering();
  const prices = readPrices(settingsOf(configuration).prices);
  return { reportUrl: await renderReport(stack, runs, prices) };
}

function heading({ project, stack, configuration, runner }: Session): string[] {
  const by = runner.name === "pulumi" ? "the Pulumi CLI" : "the embedded runner";
  const target = configuration.all[`${project.name}:target`];
  const kept = Object.entries(configuration.overlay).map(([key, { text, secret }]) => {
    const name = key.startsWith(`${project.name}:`) ? key.slice(project.name.length + 1) : key;
    return `${name}=${secret ? "[secret]" : text}`;
  });
  return [
    `stack ${stack}, target ${target}, by ${by}; its folder is ${stackFiles(stack).root}`,
    ...(kept.length > 0 ? [`settings kept for this stack: ${kept.join(" ")}`] : []),
  ];
}

/** The reasons, last of all that is printed. */
function whyFailed({ stack, runs }: Session, { errors }: Outcome, interrupted: boolean): string[] {
  const isOf = (run: string) => (error: string) => error.startsWith(`${run}: `);
  const failed = failedRuns(stack, runs).filter(([run]) => errors.some(isOf(run)));
  const others = errors.filter((error) => !failed.some(([run]) => isOf(run)(error)));
  // Its own words about being stopped are no reasons.
  if (interrupted) return ["", "interrupted; the same command continues from here"];
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
