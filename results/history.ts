import * as fs from "node:fs";
import * as path from "node:path";
import { stackFolder } from "../infra/host/folders";
import type { RunFailure, RunResult } from "./result";
import { readResult, type Failed, type Verified } from "./outcome";

/** One attempt that came to an end, as the history keeps it. */
export type Attempt = Verified | (Failed & { readonly commit?: string });

/** All attempts of a stack in the order in which they ended. */
export interface History {
  readonly attempts: readonly Attempt[];
  /** Lines that could not be read, as a crash may leave one. */
  readonly unreadable: number;
}

export function historyFile(stack: string): string {
  return path.join(stackFolder(stack), "history", "results.jsonl");
}

/** The history of `stack`; empty where there is none. */
export function readHistory(stack: string): History {
  const file = historyFile(stack);
  return parseHistory(fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "");
}

/** @param text one JSON object a line: a result with its inputs, or a failure */
export function parseHistory(text: string): History {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const attempts = lines.flatMap((line) => parseAttempt(line) ?? []);
  return { attempts, unreadable: lines.length - attempts.length };
}

function parseAttempt(line: string): Attempt | undefined {
  try {
    const value = JSON.parse(line) as Record<string, unknown>;
    return value.status === "failed" ? failureOf(value) : resultOf(value);
  } catch {
    return undefined;
  }
}

function failureOf(value: Record<string, unknown>): Attempt {
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

function resultOf(value: Record<string, unknown>): Attempt {
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
