import { shortHash } from "../infra/stack/files";

/**
 * All that a run or an oracle depends on, as plain strings known when the program runs, so that a
 * preview shows what changed by name and value. No address, port, path or id is in it.
 */
export type Inputs = Readonly<Record<string, string>>;

/** The run key: a hash of exactly the run's inputs, 16 hex digits. */
export function runKey(inputs: Inputs): string {
  return shortHash(inputs);
}

/** Of result.schema.json: figures of another version mean something else. */
export const schemaVersion = 2;

/** Whether the samples had come to rest; `fixed` where `warmup` and `repeats` gave their number. */
export type State = "steady" | "still warming" | "fixed";

/**
 * The fields of a job's result event that the program names; outcome.ts says which others there are.
 * The contract is pipelines/engine_comparison/result.schema.json.
 */
export interface RunResult {
  readonly schema: number;
  readonly engine: string;
  readonly workload: string;
  readonly key: string;
  readonly attempt: string;
  readonly device: "cpu" | "cuda";
  /** Start-up and first sample together: what a job pays that runs once. */
  readonly oneShotSeconds: number;
  /** Of the hot samples that count; of the first ones where there is no hot one. */
  readonly medianSeconds: number;
  readonly forks: readonly { readonly state: State; readonly [more: string]: unknown }[];
  readonly samples: readonly { readonly totalSeconds: number; readonly [more: string]: unknown }[];
  readonly rows: number;
  /** Images left out as corrupt or missing. */
  readonly rejected: number;
  readonly checksum: string;
  readonly verified: true;
  readonly outputUri: string;
  readonly [more: string]: unknown;
}

/** A run as the stack outputs it. */
export type RunSummary = Readonly<ReturnType<typeof summarise>>;

/** What an attempt may come to that fails its Command, unless it is meant: the next deployment tries again. */
export const failures = ["wrong", "failed", "out of memory", "timed out"] as const;

/** What an attempt may come to without a result. */
export const unverified = [...failures, "not supported"] as const;
export type Unverified = (typeof unverified)[number];

export function isFailure({ status, meant = false }: { status: string; meant?: boolean }): boolean {
  return !meant && failures.some((failure) => failure === status);
}

/** What the stack says of a run whose last attempt has no result: it failed, or cannot be. */
export interface RunFailure {
  readonly key: string;
  readonly status: Unverified;
  /** The setting `outOfMemory` makes an outcome of it: it is an answer, and fails nothing. */
  readonly meant?: true;
  readonly verified: false;
  readonly attempt: string;
  readonly reason: string;
  /** Where the attempt's log is; null where nothing was executed. */
  readonly log: string | null;
  /** The key of the run that is published still, if any. */
  readonly published: string | null;
}

/** What the stack says of a run that was skipped: what is known of it is of other inputs. */
export interface RunSkipped extends Pick<RunFailure, "verified" | "published"> {
  /** Of the inputs that it has now. */
  readonly key: string;
  readonly status: "skipped";
}

/** The last thing that is known of a run: kept in the stack folder, and read by the commands. */
export type RunRecord =
  | { readonly summary: RunSummary; readonly result: RunResult; readonly at: string }
  | { readonly summary: RunFailure; readonly at: string };

/** Shortens a result to what the stack outputs. */
export function summarise(result: RunResult) {
  const { key, device, outputUri, rows, rejected, checksum } = result;
  const { oneShotSeconds, medianSeconds } = result;
  return {
    ...({ key, status: "verified", verified: true } as const),
    ...{ device, outputUri, rows, rejected, checksum },
    ...{ oneShotSeconds, medianSeconds, state: stateOf(result.forks) },
    /** Total seconds of each sample, in the order taken. */
    samples: result.samples.map((sample) => sample.totalSeconds),
  };
}

/** A run is as steady as the least steady of its driver processes. */
export function stateOf(forks: readonly { readonly state: State }[]): State {
  const [first] = forks;
  return forks.find(({ state }) => state === "still warming")?.state ?? first.state;
}
