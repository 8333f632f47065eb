import * as z from "zod";
import { attempt } from "../infra/host/folders";
import { stackFiles } from "../infra/stack/files";
import { engineOf, workloadOf } from "./catalog";
import { named, readResult, type Failed, type Verified } from "./outcome";
import { historyText, readRecord, writeRecord } from "./records";
import { isFailure, schemaVersion, type RunRecord, type RunResult, unverified } from "./result";

/** One attempt that came to an end, as the history keeps it. */
export type Attempt = Verified | (Failed & { readonly commit?: string });

/** All attempts of a stack in the order in which they ended. */
interface History {
  readonly attempts: readonly Attempt[];
  /** Lines that could not be read, as a crash may leave one. */
  readonly unreadable: number;
  /** Attempts of results of other schemas, which measured something else under the same names. */
  readonly otherSchemas: readonly string[];
}

/** The history of `stack`; empty where there is none. */
export function readHistory(stack: string): History {
  return parseHistory(historyText(stack));
}

/** @param text one JSON object a line: a result with its inputs, or a failure */
export function parseHistory(text: string): History {
  const lines = parseLines(text);
  const others = lines.flatMap((line) => {
    const { attempt, schema = 1 } = anyResult.safeParse(line).data ?? {};
    return attempt !== undefined && schema !== schemaVersion ? [attempt] : [];
  });
  const attempts = lines.flatMap((line) => attemptOf(line) ?? []);
  const unreadable = lines.length - attempts.length - others.length;
  return { attempts, unreadable, otherSchemas: others };
}

/** What is left out of a stack's history and why, a line each. */
export function leftOut(stack: string, { unreadable, otherSchemas }: History): string[] {
  const file = stackFiles(stack).history;
  const some = otherSchemas.slice(-3).join(", ") + (otherSchemas.length > 3 ? ", ..." : "");
  return [
    ...(unreadable > 0 ? [`${unreadable} lines of ${file} cannot be read and are left out`] : []),
    ...(otherSchemas.length > 0
      ? [
          `${otherSchemas.length} results of ${file} (${some}) are of another schema than ` +
            `${schemaVersion} and are left out: their figures mean something else`,
        ]
      : []),
  ];
}

/**
 * After an up that succeeded, the state is right about each run. A record of a failure in between,
 * of a setting that was changed back since, is replaced by that of the result in the state, and a
 * record that vanished is written again.
 *
 * @param current the summary that the state holds
 */
export function settleRecord(stack: string, run: string, current: RunRecord["summary"]): void {
  if (!isFailure(readRecord(stack, run)?.summary ?? { status: "failed" })) return;
  const at = new Date().toISOString();
  if (current.status !== "verified") return writeRecord(stack, run, { summary: current, at });
  const past = parseLines(historyText(stack)) as (Partial<RunResult> | null | undefined)[];
  const result = past.findLast(
    (one) => one?.verified && one.key === current.key && `${one.engine}/${one.workload}` === run,
  ) as RunResult | undefined;
  if (result) writeRecord(stack, run, { summary: current, result, at });
}

/**
 * How long runs will take, in seconds: as long as when they were last carried out, or as that
 * workload usually takes.
 *
 * @param runs `<engine>/<workload>`
 */
export function expectedSeconds(stack: string, runs: readonly string[]): number {
  const past = new Map<string, number>();
  for (const line of parseLines(historyText(stack))) {
    const { engine, workload, tookSeconds } = (line ?? {}) as Partial<RunResult>;
    if (typeof tookSeconds === "number") past.set(`${engine}/${workload}`, tookSeconds);
  }
  return runs.reduce((sum, run) => {
    const [engine, workload] = run.split("/");
    const needed = engineOf(engine).workloads.includes(workload);
    return sum + (needed ? (past.get(run) ?? workloadOf(workload).usualSeconds) : 0);
  }, 0);
}

/** Each line's value; undefined for one that was cut short. */
function parseLines(text: string): unknown[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => attempt(() => JSON.parse(line) as unknown));
}

const inputs = z.record(z.string(), z.string()).optional().catch(undefined);
const failure = z.object({
  status: z.enum(unverified),
  meant: z.literal(true).optional().catch(undefined),
  run: z.string(),
  at: z.string(),
  key: z.string(),
  attempt: z.string(),
  reason: z.string(),
  log: z.string().nullable().catch(null),
  published: z.string().nullable().catch(null),
  code: z.object({ commit: z.string().optional() }).catch({}),
  inputs,
});
const anyResult = z.object({
  samples: z.array(z.unknown()),
  attempt: z.string(),
  schema: z.number().optional(),
});
const result = z.looseObject({
  schema: z.literal(schemaVersion),
  engine: z.string(),
  workload: z.string(),
  key: z.string(),
  attempt: z.string(),
  startedAt: z.string().optional().catch(undefined),
  samples: z.array(z.looseObject({ totalSeconds: z.number() })).min(1),
  forks: z.array(z.unknown()).min(1),
  inputs,
});

/** Undefined for a line that is neither a failure nor a result. */
function attemptOf(line: unknown): Attempt | undefined {
  const failed = failure.safeParse(line).data;
  if (failed) {
    const { run, inputs, code, ...rest } = failed;
    return { ...named(run, inputs), ...rest, ...code };
  }
  const found = result.safeParse(line).data;
  if (!found) return undefined;
  const { engine, workload, inputs, attempt, startedAt = timeOf(attempt) } = found;
  const of = named(`${engine}/${workload}`, inputs);
  return { ...of, ...readResult(found as unknown as RunResult), at: startedAt };
}

/** When an attempt began, from its id such as `20261122T215327Z-1f2e3d`. */
function timeOf(attempt: string): string {
  return attempt.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z.*$/s, "$1-$2-$3T$4:$5:$6Z");
}
