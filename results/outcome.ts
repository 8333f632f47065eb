import type { RunRecord, RunResult } from "./result";
import { median } from "./statistics";

/** One run as the page is made from it: what is on record, and the inputs of that attempt. */
export interface RunOutcome {
  /** `<engine>/<workload>` */
  readonly run: string;
  /** Undefined where the run has never come to an end. */
  readonly record: RunRecord | undefined;
  /** The inputs of the recorded attempt by name; undefined where nobody wrote them down. */
  readonly inputs?: Readonly<Record<string, string>>;
}

/** One execution of a workload. */
export interface Try {
  readonly seconds: number;
  /** CPU seconds of the job and its engine's services. */
  readonly cpuSeconds?: number;
  /** Share of the machine's cores that others used meanwhile, 0 to 1. */
  readonly othersShare?: number;
}

export interface Sample extends Try {
  readonly kind: "first" | "hot";
  /** Whether others used so much that the figure says little. */
  readonly disturbed: boolean;
  /** All tries in the order taken, this one among them. */
  readonly tries: readonly Try[];
}

interface Named {
  readonly run: string;
  readonly engine: string;
  readonly workload: string;
  readonly inputs: Readonly<Record<string, string>> | undefined;
}

/** A run that has a verified result. What an older result may lack is optional. */
export interface Verified extends Named {
  readonly status: "verified";
  readonly key: string;
  readonly attempt: string;
  readonly at: string;
  readonly device: string;
  /** In the order taken. */
  readonly samples: readonly Sample[];
  /** The kind of samples that {@link measured} has: hot ones, or where there are none the first. */
  readonly basis: "hot" | "first";
  /** The samples that count. */
  readonly counted: readonly Sample[];
  /** Total seconds of {@link counted}. */
  readonly measured: readonly number[];
  /** Median of {@link measured}. */
  readonly median: number;
  readonly startUp?: number;
  readonly first?: number;
  readonly rowsIn?: number;
  readonly rows: number;
  readonly rejected: number;
  readonly rejects: readonly { readonly reason: string; readonly count: number }[];
  readonly bytesIn?: number;
  readonly bytesOut?: number;
  readonly peakMemory?: number;
  readonly idleMemory?: number;
  /** Memory that the run might take; a peak above it is a failure. */
  readonly memoryLimit?: number;
  /** `pss`, `rss`, `cgroup`: how memory was measured. */
  readonly memoryMeasure?: string;
  readonly cpuSeconds?: number;
  readonly othersCpuSeconds?: number;
  /** How many images the oracle judged one by one, where not all. */
  readonly sampled?: number;
  readonly checksum: string;
  readonly deviations: Readonly<Record<string, unknown>>;
  readonly agreement: Readonly<Record<string, unknown>>;
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, unknown>>;
  readonly host: Readonly<Record<string, unknown>>;
  readonly commit?: string;
  /** Whether the checkout had changes that are in no commit. */
  readonly dirty: boolean;
  readonly outputUri: string;
}

/** A run whose last attempt failed, whatever it measured before. */
export interface Failed extends Named {
  readonly status: "failed";
  readonly key: string;
  readonly attempt: string;
  readonly at: string;
  readonly reason: string;
  readonly log: string;
  /** The key of the older result that is published still, if any. */
  readonly published: string | null;
}

/** A run that was asked for and has never come to an end. */
export interface NotRun extends Named {
  readonly status: "not run";
}

export type Outcome = Verified | Failed | NotRun;

export function isVerified(outcome: Outcome): outcome is Verified {
  return outcome.status === "verified";
}

export function isFailed(outcome: Outcome): outcome is Failed {
  return outcome.status === "failed";
}

/** Reads what is on record. Fields of the wrong type count as missing: records outlive the code. */
export function readOutcome({ run, record, inputs }: RunOutcome): Outcome {
  const [engine, workload = ""] = run.split(/\/(.*)/s);
  const named = { run, engine, workload, inputs };
  if (!record) return { ...named, status: "not run" };
  const { summary, at } = record;
  if (summary.status === "failed") {
    const { key, attempt, reason, log, published } = summary;
    return { ...named, status: "failed", key, attempt, at, reason, log, published };
  }
  return { ...named, ...readResult((record as { result: RunResult }).result), at };
}

/** A result as {@link Verified} has it. */
export function readResult(result: RunResult): Omit<Verified, keyof Named | "at"> {
  const configuration = object(result.configuration);
  const host = object(result.host);
  const code = object(result.code);
  const samples = result.samples.map((sample) => readSample(sample, numeric(host.cores)));
  const hot = samples.filter(({ kind }) => kind === "hot");
  const counted = hot.length > 0 ? hot : samples;
  const measured = counted.map((sample) => sample.seconds);
  return {
    status: "verified",
    key: result.key,
    attempt: result.attempt,
    device: result.device,
    samples,
    basis: hot.length > 0 ? "hot" : "first",
    counted,
    measured,
    median: median(measured),
    startUp: numeric(result.startUpSeconds),
    first: samples.find(({ kind }) => kind === "first")?.seconds,
    rowsIn: numeric(result.rowsIn),
    rows: result.rows,
    rejected: result.rejected,
    rejects: readRejects(result.rejects),
    bytesIn: numeric(result.bytesIn),
    bytesOut: numeric(result.bytesOut),
    peakMemory: numeric(result.peakMemoryBytes),
    idleMemory: numeric(result.idleMemoryBytes),
    memoryLimit: numeric(object(result.limits).memoryBytes),
    memoryMeasure: text(configuration.memoryMeasure),
    cpuSeconds: numeric(result.cpuSeconds),
    othersCpuSeconds: numeric(result.othersCpuSeconds),
    sampled: numeric(result.sampled),
    checksum: result.checksum,
    deviations: object(result.deviations),
    agreement: object(result.agreement),
    configuration,
    versions: object(result.versions),
    host,
    commit: text(code.commit),
    dirty: code.dirty === true,
    outputUri: result.outputUri,
  };
}

/**
 * Above this share of the machine's cores, what others did is part of the figure: the same as in
 * engine_comparison/samples.py, which decides; older results are judged here.
 */
export const disturbedAbove = 0.1;

function readSample(sample: RunResult["samples"][number], cores?: number): Sample {
  const { kind, disturbed, tries } = sample;
  const kept = readTry(sample, cores);
  return {
    kind,
    ...kept,
    disturbed:
      typeof disturbed === "boolean" ? disturbed : (kept.othersShare ?? 0) > disturbedAbove,
    tries: Array.isArray(tries) ? tries.map((one) => readTry(object(one), cores)) : [kept],
  };
}

function readTry(one: Readonly<Record<string, unknown>>, cores = 1): Try {
  const seconds = numeric(one.totalSeconds) ?? NaN;
  const others = numeric(one.othersCpuSeconds);
  return {
    seconds,
    cpuSeconds: numeric(one.cpuSeconds),
    othersShare: others === undefined || !(seconds > 0) ? undefined : others / (seconds * cores),
  };
}

function readRejects(value: unknown): Verified["rejects"] {
  return (Array.isArray(value) ? value : []).map((entry) => {
    const reject = object(entry);
    return { reason: text(reject.reason) ?? "no reason given", count: numeric(reject.count) ?? 0 };
  });
}

function numeric(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  return value !== null && typeof value === "object" && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}
