import { canonicalJson } from "../../../infra/stack/files";
import type { RunResult } from "../../../results/result";
import { verified, type Varied } from "./synthetic";

export interface ResultLine extends Varied {
  readonly attempt?: string;
  readonly startedAt?: string;
  readonly commit?: string;
  readonly times?: readonly number[];
}

/** A result as the history has it; `times` are of the hot samples. */
export function resultLine(run: string, line: ResultLine): string {
  const { attempt, startedAt, commit, times, ...varied } = line;
  const { record, inputs } = verified(run, varied);
  const { result } = record as { result: RunResult };
  const hot = times?.map((totalSeconds) => ({
    kind: "hot",
    fork: 1,
    totalSeconds,
    othersCpuSeconds: 0,
    disturbed: false,
  }));
  return canonicalJson({
    stack: "local",
    inputs,
    ...result,
    ...(attempt === undefined ? {} : { attempt }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(commit === undefined ? {} : { code: { commit, dirty: false } }),
    ...(hot === undefined ? {} : { samples: [result.samples[0], ...hot] }),
  });
}

/** A failure as the history has it. */
export function failedLine(run: string, changed: Readonly<Record<string, unknown>>): string {
  return canonicalJson({
    stack: "local",
    run,
    key: "0123456789abcdef",
    attempt: "20261122T120000Z-cccccc",
    status: "failed",
    verified: false,
    reason: "no memory",
    log: "/state/attempt.log",
    published: null,
    at: "2026-11-22T12:00:00.000Z",
    ...changed,
  });
}
