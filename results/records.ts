import * as fs from "node:fs";
import * as path from "node:path";
import { stackFolder } from "../infra/host/folders";
import type { RunFailure, RunRecord, RunResult, RunSummary } from "./result";

/** What a run that is going on says about itself. */
export interface RunProgress {
  readonly phase: string;
  /** When the phase began. */
  readonly since: string;
  /** When its turn came; undefined while it waits for it. */
  readonly began?: string;
}

function file(stack: string, run: string, kind: "record" | "progress"): string {
  return path.join(stackFolder(stack), "records", `${run}.${kind}.json`);
}

function read<T>(name: string): T | undefined {
  try {
    return JSON.parse(fs.readFileSync(name, "utf8")) as T;
  } catch {
    return undefined;
  }
}

function write(name: string, value: unknown): void {
  fs.mkdirSync(path.dirname(name), { recursive: true, mode: 0o700 });
  fs.writeFileSync(`${name}.${process.pid}`, JSON.stringify(value));
  fs.renameSync(`${name}.${process.pid}`, name);
}

/** The last outcome of `run` (`<engine>/<workload>`), or undefined where there was none. */
export function readRecord(stack: string, run: string): RunRecord | undefined {
  return read(file(stack, run, "record"));
}

export function writeRecord(stack: string, run: string, record: RunRecord): void {
  write(file(stack, run, "record"), record);
}

/** What `run` is doing, or undefined while it does nothing. */
export function readProgress(stack: string, run: string): RunProgress | undefined {
  return read(file(stack, run, "progress"));
}

/** @param progress undefined when the run has ended */
export function writeProgress(
  stack: string,
  run: string,
  progress: Omit<RunProgress, "since"> | undefined,
): void {
  if (progress === undefined) fs.rmSync(file(stack, run, "progress"), { force: true });
  else write(file(stack, run, "progress"), { ...progress, since: new Date().toISOString() });
}

/**
 * Appends a result to the stack's history, which destroy keeps; on a line of its own, also where the one
 * before was cut short by a full disk or a crash.
 */
export function appendHistory(stack: string, result: unknown): void {
  const name = path.join(stackFolder(stack), "history", "results.jsonl");
  fs.mkdirSync(path.dirname(name), { recursive: true, mode: 0o700 });
  const past = fs.existsSync(name) ? fs.readFileSync(name, "utf8") : "";
  const begin = past === "" || past.endsWith("\n") ? "" : "\n";
  fs.appendFileSync(name, `${begin}${JSON.stringify(result)}\n`);
}

/**
 * After an up that succeeded, what the state says of each run stands: a failure in between, of a
 * setting that was taken back since, is past. Its record gives way to that of the standing result.
 *
 * @param standing the summary that the state holds
 */
export function settleRecord(stack: string, run: string, standing: RunSummary): void {
  if (readRecord(stack, run)?.summary.status !== "failed") return;
  const result = readHistory(stack).findLast(
    (past) => past.key === standing.key && `${past.engine}/${past.workload}` === run,
  );
  if (result) writeRecord(stack, run, { summary: standing, result, at: new Date().toISOString() });
}

/** The results in the stack's history, oldest first; lines that are no results are left out. */
function readHistory(stack: string): RunResult[] {
  const name = path.join(stackFolder(stack), "history", "results.jsonl");
  const lines = fs.existsSync(name) ? fs.readFileSync(name, "utf8").split("\n") : [];
  return lines.flatMap((line) => {
    try {
      const past = JSON.parse(line) as RunResult | RunFailure;
      return past.verified ? [past] : [];
    } catch {
      return []; // a line that was cut short when the machine stopped
    }
  });
}
