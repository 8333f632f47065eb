import * as fs from "node:fs";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { UserError } from "../infra/contracts/errors";
import { readJson, stackFiles, writeJson } from "../infra/stack/files";
import { runKey, type Inputs, type RunRecord, type RunSkipped } from "./result";

/** What a run that is going on says about itself. */
export interface RunProgress {
  readonly phase: string;
  /** When the phase began. */
  readonly since: string;
  /** When its turn came; undefined while it waits for it. */
  readonly began?: string;
}

/** `file:` URL of the stack folder's copy of the report. */
export function reportUrl(stack: string): string {
  return pathToFileURL(stackFiles(stack).report).href;
}

/** Where the report is in the bucket for outputs. */
export const reportKey = "report/index.html";

/** The last outcome of `run` (`<engine>/<workload>`), or undefined where there was none. */
export function readRecord(stack: string, run: string): RunRecord | undefined {
  return readJson(stackFiles(stack).run(run, "record"));
}

export function writeRecord(stack: string, run: string, record: RunRecord): void {
  writeJson(stackFiles(stack).run(run, "record"), record);
}

/**
 * What `run` depends on in the deployment that was begun last; undefined before the first one.
 *
 * @param run also `oracle-<workload>`
 */
export function readInputs(stack: string, run: string): Inputs | undefined {
  return readJson(stackFiles(stack).input(run));
}

/** @throws UserError where the program has not written what `run` depends on */
export function declaredInputs(stack: string, run: string): Inputs {
  const inputs = readInputs(stack, run);
  if (inputs) return inputs;
  throw new UserError(
    `${stackFiles(stack).input(run)} cannot be read`,
    `it says what ${run} depends on; every deployment writes it`,
    "deploy again: npm start, or pulumi up",
  );
}

/**
 * Has a run's script find what it depends on. For the program, when it deploys: until it
 * {@link confirmInputs}, nobody knows whether the state has the result.
 */
export function writeInputs(stack: string, run: string, inputs: Inputs): void {
  writeJson(unconfirmedFile(stack, run), {});
  writeJson(stackFiles(stack).input(run), inputs);
}

/** For the program: the state has the run's result of the inputs that it wrote. */
export function confirmInputs(stack: string, run: string): void {
  fs.rmSync(unconfirmedFile(stack, run), { force: true });
}

/**
 * Whether the state has what the last deployment did of a run. An attempt of a deployment that was
 * killed, or that failed, may have published what the state does not know.
 */
export function isConfirmed(stack: string, run: string): boolean {
  return !fs.existsSync(unconfirmedFile(stack, run));
}

function unconfirmedFile(stack: string, run: string): string {
  return `${stackFiles(stack).input(run)}.unconfirmed`;
}

/**
 * What the last attempt of a run came to; that it was skipped, where it has other inputs by now.
 *
 * @param known what it is known to have come to. @default what the record says
 */
export function summaryOf(
  stack: string,
  run: string,
  known: RunRecord["summary"] | undefined = readRecord(stack, run)?.summary,
): RunRecord["summary"] | RunSkipped | undefined {
  const inputs = readInputs(stack, run);
  const key = inputs && runKey(inputs);
  if (!known || key === undefined || key === known.key) return known;
  return { key, status: "skipped", verified: false, published: publishedKey(known) };
}

/** The key of the outputs that readers see after an attempt; null where there are none. */
export function publishedKey(summary: RunRecord["summary"] | undefined): string | null {
  if (summary === undefined) return null;
  return summary.status === "verified" ? summary.key : summary.published;
}

/** What `run` is doing, or undefined while it does nothing. */
export function readProgress(stack: string, run: string): RunProgress | undefined {
  return readJson(stackFiles(stack).run(run, "progress"));
}

/** @param progress undefined when the run has ended */
export function writeProgress(
  stack: string,
  run: string,
  progress: Omit<RunProgress, "since"> | undefined,
): void {
  const file = stackFiles(stack).run(run, "progress");
  if (progress === undefined) fs.rmSync(file, { force: true });
  else writeJson(file, { ...progress, since: new Date().toISOString() });
}

/**
 * Appends a result or a failure to the stack's history, which destroy keeps. It begins a line, also
 * where the one before was cut short by a full disk or a crash.
 */
export function appendHistory(stack: string, attempt: object): void {
  const file = stackFiles(stack).history;
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const past = historyText(stack);
  const begin = past === "" || past.endsWith("\n") ? "" : "\n";
  fs.appendFileSync(file, `${begin}${JSON.stringify(attempt)}\n`);
}

/** All of a stack's history; empty where there is none. */
export function historyText(stack: string): string {
  const file = stackFiles(stack).history;
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
}
