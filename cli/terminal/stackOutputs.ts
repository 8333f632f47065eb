import * as fs from "node:fs";
import { stackFiles } from "../../infra/stack/files";
import { readRecord, reportUrl, summaryOf } from "../../results/records";
import { isFailure, type RunFailure, type RunRecord } from "../../results/result";
import { failureLines, runWords } from "./lines";

/**
 * A stack's outputs with what the last attempt of each run came to, failed ones too: the state
 * alone has nothing of a run that has never succeeded, and the old result of one that failed now.
 */
export function withRuns(
  stack: string,
  runs: readonly string[],
  outputs: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const inState = (outputs.runs ?? {}) as Readonly<Record<string, RunRecord["summary"]>>;
  const names = runs.length > 0 ? runs : Object.keys(inState);
  const known = names.flatMap((run) => {
    const summary = summaryOf(stack, run, readRecord(stack, run)?.summary ?? inState[run]);
    return summary === undefined ? [] : [[run, summary] as const];
  });
  const report = fs.existsSync(stackFiles(stack).report) ? { reportUrl: reportUrl(stack) } : {};
  return { ...outputs, ...report, runs: Object.fromEntries(known) };
}

/** The outputs for people, a line each; runs with what they came to. */
export function outputLines(
  stack: string,
  runs: readonly string[],
  outputs: Readonly<Record<string, unknown>>,
): string[] {
  const plain = Object.entries(outputs).filter(([name, value]) => name !== "runs" && value !== "");
  const width = Math.max(0, ...plain.map(([name]) => name.length));
  return [
    ...plain.map(([name, value]) => `${name.padEnd(width)}  ${words(value)}`),
    ...runs.flatMap((run) => runLines(stack, run)),
  ];
}

function words(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    return JSON.stringify(value);
  }
  const parts = Object.entries(value).map(([name, inner]) => `${name}: ${words(inner)}`);
  return parts.join(", ");
}

/** What is known of a run: one line, and more where it failed. */
function runLines(stack: string, run: string): string[] {
  const summary = summaryOf(stack, run);
  const head = `${run.padEnd(26)}  ${runWords(summary)}`;
  if (!summary) return [head];
  const more = summary.status === "verified" ? [summary.outputUri] : failureLines(summary);
  return [head, ...more.map((line) => `    ${line}`)];
}

export function failedRuns(stack: string, runs: readonly string[]): [string, RunFailure][] {
  return runs.flatMap((run): [string, RunFailure][] => {
    const summary = summaryOf(stack, run);
    return summary && isFailure(summary) ? [[run, summary as RunFailure]] : [];
  });
}
