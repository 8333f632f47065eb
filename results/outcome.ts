import * as z from "zod";
import {
  isFailure,
  schemaVersion,
  stateOf,
  type RunFailure,
  type RunRecord,
  type RunResult,
} from "./result";
import { center } from "./statistics";

/** One run as the page is made from it: what is on record, and the inputs of that attempt. */
export interface RunOutcome {
  /** `<engine>/<workload>` */
  readonly run: string;
  /** Undefined where the run has never come to an end. */
  readonly record: RunRecord | undefined;
  /** The inputs of the recorded attempt by name; undefined where nobody wrote them down. */
  readonly inputs?: Readonly<Record<string, string>>;
}

export interface Named {
  readonly run: string;
  readonly engine: string;
  readonly workload: string;
  readonly inputs: Readonly<Record<string, string>> | undefined;
}

/** A run that has a verified result. */
export type Verified = Named & Readonly<ReturnType<typeof readResult>> & { readonly at: string };

/** A run whose last attempt failed, or is not supported, whatever it measured before. */
export interface Failed extends Named, Omit<RunFailure, "verified"> {
  readonly at: string;
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
  return isFailure(outcome);
}

/** @param run `<engine>/<workload>` */
export function named(run: string, inputs: Named["inputs"]): Named {
  const [engine, workload = ""] = run.split(/\/(.*)/s);
  return { run, engine, workload, inputs };
}

/** Reads what is on record. A result of another schema says nothing that could be compared. */
export function readOutcome({ run, record, inputs }: RunOutcome): Outcome {
  const name = named(run, inputs);
  if (!record || ("result" in record && record.result.schema !== schemaVersion)) {
    return { ...name, status: "not run" };
  }
  if ("result" in record) return { ...name, ...readResult(record.result), at: record.at };
  const { verified: _verified, ...failure } = record.summary;
  return { ...name, ...failure, at: record.at };
}

/** Fields of the wrong type count as missing: a file may have been edited. */
const figure = z.number().optional().catch(undefined);
const text = z.string().min(1).optional().catch(undefined);
const facts = z.record(z.string(), z.unknown()).catch({});

const sample = z.object({
  totalSeconds: z.number().catch(NaN),
  /** Of the job and its engine's services. */
  cpuSeconds: figure,
  othersCpuSeconds: figure,
  /** Cold, before the run was steady, or one of those that count. */
  kind: z.enum(["first", "warm", "hot"]).catch("hot"),
  /** Which driver process of the run, from 1. */
  fork: z.number().catch(1),
  /** Whether others used so much that the figure says little. */
  disturbed: z.boolean().catch(false),
});
const fork = z.object({
  state: z.enum(["steady", "still warming", "fixed"]).catch("fixed"),
  /** Change of time from one sample to the next, as a share of their median. */
  slope: z.number().catch(0),
});
const reject = z.object({
  reason: z.string().min(1).catch("no reason given"),
  count: z.number().catch(0),
});
const stage = z.object({
  name: z.string().catch(""),
  kind: z.string().catch("unknown"),
  seconds: z.number().catch(NaN),
  rows: figure,
  bytes: figure,
  spilledBytes: figure,
});
const node = z.object({
  name: z.string().catch(""),
  peakMemoryBytes: figure,
  cpuSeconds: figure,
  measure: z.string().catch(""),
});
/** Where the time of one more sample went, or why the engine could not say. */
const profile = z.union([
  z.object({ failed: z.string() }),
  z.object({
    means: z.string(),
    seconds: z.number(),
    stages: z.array(stage),
    nodes: z.array(node),
    bottleneck: z.string(),
    oneShotBottleneck: z.string(),
  }),
]);
export type Profile = Exclude<z.output<typeof profile>, { failed: string }>;

/** What the last sample asked of the store, where that tells its counts. */
const requests = z.object({
  byApi: z.record(z.string(), z.number()),
  receivedBytes: z.number(),
  sentBytes: z.number(),
});
/** What NVML said of the GPUs that were at work (engine_comparison/gpu_measure.py). */
const gpu = z.object({
  devices: z.array(
    z.object({
      busyShare: z.number(),
      starvedShare: z.number(),
      peakMemoryBytes: z.number(),
      joulesPerSample: z.number().nullable(),
    }),
  ),
  imagesPerSecondPerGpu: z.number().nullable(),
  imagesPerSecondPerCore: z.number(),
});
const tunable = z.object({
  name: z.string(),
  value: z.unknown(),
  default: z.unknown(),
  why: z.string(),
  source: z.string(),
});
const stored = z.object({
  samples: z.array(sample),
  forks: z.array(fork).min(1),
  oneShotSeconds: figure,
  startUpSeconds: figure,
  rowsIn: figure,
  rejects: z.array(reject).catch([]),
  bytesIn: figure,
  bytesOut: figure,
  requests: requests.optional().catch(undefined),
  peakMemoryBytes: figure,
  idleMemoryBytes: figure,
  /** Memory that the run might take, of which a peak above it is a failure, and cores. */
  limits: z
    .object({ memoryBytes: figure, cores: figure })
    .catch({ memoryBytes: undefined, cores: undefined }),
  cpuSeconds: figure,
  othersCpuSeconds: figure,
  gpu: gpu.optional().catch(undefined),
  /** How many images the oracle judged one by one, where not all. */
  sampled: figure,
  profile: profile.optional().catch(undefined),
  deviations: facts,
  agreement: facts,
  disagreements: facts,
  tunables: z.array(tunable).catch([]),
  configuration: facts,
  versions: facts,
  host: facts,
  code: z.object({ commit: text, dirty: z.boolean().catch(false) }).catch({ dirty: false }),
});

export type Sample = Readonly<ReturnType<typeof readSample>>;

/** A result as the page and the commands have it. What a result may lack is optional. */
export function readResult(result: RunResult) {
  const { key, attempt, device, rows, rejected, checksum, outputUri } = result;
  const found = stored.parse(result);
  const { samples: taken, startUpSeconds, peakMemoryBytes, idleMemoryBytes, ...rest } = found;
  const { limits, code, forks, oneShotSeconds, ...others } = rest;
  const cores = figure.parse(others.host.cores) ?? 1;
  const memoryMeasure = text.parse(others.configuration.memoryMeasure);
  /** Of existing clusters only the driver is measured, whose memory and CPU are not the run's. */
  const isMeasured = memoryMeasure !== "driver";
  const whole = (value: number | undefined) => (isMeasured ? value : undefined);
  const samples = taken.map((one) =>
    readSample({ ...one, cpuSeconds: whole(one.cpuSeconds) }, cores),
  );
  const byFork = [...new Set(samples.map((one) => one.fork))].map((fork) =>
    countedOf(samples.filter((one) => one.fork === fork)),
  );
  const counted: readonly Sample[] = byFork.flat();
  const seconds = byFork.map((some) => some.map((one) => one.seconds));
  return {
    ...{ status: "verified" as const, key, attempt, device, rows, rejected, checksum, outputUri },
    ...others,
    /** In the order taken. */
    samples,
    /** The samples that count: hot ones that were not disturbed, or where there are none the first. */
    counted,
    basis: counted.some(({ kind }) => kind === "hot") ? ("hot" as const) : ("first" as const),
    /** Total seconds of `counted`, by driver process. */
    measured: seconds,
    median: center(seconds),
    forks: forks.length,
    state: stateOf(forks),
    /** Of the driver process whose samples change most. */
    slope: forks.reduce((most, { slope }) => (Math.abs(slope) > Math.abs(most) ? slope : most), 0),
    oneShot: oneShotSeconds,
    startUp: startUpSeconds,
    first: samples.find(({ kind }) => kind === "first")?.seconds,
    cpuSeconds: whole(others.cpuSeconds),
    peakMemory: whole(peakMemoryBytes),
    idleMemory: whole(idleMemoryBytes),
    memoryLimit: limits.memoryBytes,
    cores: limits.cores,
    /** `pss`, `pss-sampled`, `rss`: how memory was measured; `driver`: it was not. */
    memoryMeasure,
    isMeasured,
    commit: code.commit,
    /** Whether the checkout had changes that are in no commit. */
    dirty: code.dirty,
  };
}

/** Above this share of the machine's cores, what others did is part of the figure (samples.py). */
export const disturbedAbove = 0.1;

/** Undisturbed samples of a driver process that make the others not count (samples.py). */
const leastCalm = 3;

/** The samples of one driver process that count. */
function countedOf(samples: readonly Sample[]): readonly Sample[] {
  const hot = samples.filter(({ kind }) => kind === "hot");
  const calm = hot.filter(({ disturbed }) => !disturbed);
  if (calm.length >= leastCalm) return calm;
  return hot.length > 0 ? hot : samples;
}

function readSample(one: z.output<typeof sample>, cores: number) {
  const { totalSeconds: seconds, othersCpuSeconds: others, ...rest } = one;
  const known = others !== undefined && seconds > 0;
  /** Share of the machine's cores that others used meanwhile, 0 to 1. */
  const othersShare = known ? others / (seconds * cores) : undefined;
  return { ...rest, seconds, othersShare };
}
