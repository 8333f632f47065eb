import { readResult, type Failed, type Verified } from "./outcome";
import { historyText, readRecord, writeRecord } from "./records";
import type { RunFailure, RunResult, RunSummary } from "./result";

/** One attempt that came to an end, as the history keeps it. */
export type Attempt = Verified | (Failed & { readonly commit?: string });

/** All attempts of a stack in the order in which they ended. */
export interface History {
  readonly attempts: readonly Attempt[];
  /** Lines that could not be read, as a crash may leave one. */
  readonly unreadable: number;
}

/** The history of `stack`; empty where there is none. */
export function readHistory(stack: string): History {
  return parseHistory(historyText(stack));
}

/** @param text one JSON object a line: a result with its inputs, or a failure */
export function parseHistory(text: string): History {
  const lines = parseLines(text);
  const attempts = lines.flatMap((line) => attemptOf(line) ?? []);
  return { attempts, unreadable: lines.length - attempts.length };
}

/**
 * After an up that succeeded, the state is right about each run. A record of a failure in between,
 * of a setting that was changed back since, is replaced by that of the result in the state.
 *
 * @param current the summary that the state holds
 */
export function settleRecord(stack: string, run: string, current: RunSummary): void {
  if (readRecord(stack, run)?.summary.status !== "failed") return;
  const result = parseLines(historyText(stack)).findLast(
    (past) =>
      past?.verified === true &&
      past.key === current.key &&
      `${past.engine}/${past.workload}` === run,
  ) as RunResult | undefined;
  if (result) writeRecord(stack, run, { summary: current, result, at: new Date().toISOString() });
}

type Line = Readonly<Record<string, unknown>> | undefined;

/** Each line's value; undefined for one that was cut short. */
function parseLines(text: string): Line[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      try {
        return JSON.parse(line) as Line;
      } catch {
        return undefined;
      }
    });
}

function attemptOf(line: Line): Attempt | undefined {
  try {
    return line && (line.status === "failed" ? failureOf(line) : resultOf(line));
  } catch {
    return undefined; // of other code
  }
}

function failureOf(value: NonNullable<Line>): Attempt {
  const { run, at, key, attempt, reason, log, published } = value as unknown as RunFailure & {
    readonly run: string;
    readonly at: string;
  };
  if ([run, at, key, attempt, reason].some((field) => typeof field !== "string")) {
    throw new TypeError("a failure without its fields");
  }
  const { commit } = (value.code ?? {}) as { commit?: unknown };
  return {
    ...named(run, value.inputs),
    status: "failed",
    key,
    attempt,
    at,
    reason,
    log: log ?? "",
    published: published ?? null,
    ...(typeof commit === "string" ? { commit } : {}),
  };
}

function resultOf(value: NonNullable<Line>): Attempt {
  const result = value as unknown as RunResult;
  const { engine, workload, key, attempt, startedAt, samples } = result;
  if ([engine, workload, key, attempt].some((field) => typeof field !== "string")) {
    throw new TypeError("a result without its fields");
  }
  const times = samples.map(({ totalSeconds }) => totalSeconds);
  if (times.length === 0 || !times.every(Number.isFinite)) {
    throw new TypeError("a result without its samples");
  }
  return {
    ...named(`${engine}/${workload}`, value.inputs),
    ...readResult(result),
    at: typeof startedAt === "string" ? startedAt : timeOf(attempt),
  };
}

function named(run: string, inputs: unknown) {
  const [engine, workload = ""] = run.split(/\/(.*)/s);
  const known = inputs !== null && typeof inputs === "object";
  return { run, engine, workload, inputs: known ? (inputs as Record<string, string>) : undefined };
}

/** When an attempt began, from its id such as `20261122T215327Z-1f2e3d`. */
function timeOf(attempt: string): string {
  return attempt.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z.*$/s, "$1-$2-$3T$4:$5:$6Z");
}
