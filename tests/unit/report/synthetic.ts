import type { RunOutcome } from "../../../results/outcome";
import { median, random } from "../../../results/statistics";
import { schemaVersion, type RunFailure, type RunRecord } from "../../../results/result";

/** About what two cores do, from which the synthetic results vary: seconds and MiB. */
const shapes: Readonly<
  Record<string, { startUp: number; first: number; hot: number; mib: number }>
> = {
  "spark/taxi-report": { startUp: 9.4, first: 12.6, hot: 1.92, mib: 2310 },
  "ray/taxi-report": { startUp: 5.1, first: 21.3, hot: 2.19, mib: 1890 },
  "daft/taxi-report": { startUp: 0.9, first: 0.27, hot: 0.2, mib: 410 },
  "polars/taxi-report": { startUp: 0.71, first: 0.19, hot: 0.121, mib: 260 },
  "spark/image-predictions": { startUp: 9.9, first: 15.2, hot: 3.45, mib: 2640 },
  "ray/image-predictions": { startUp: 5.4, first: 11.8, hot: 2.91, mib: 2150 },
  "daft/image-predictions": { startUp: 1.1, first: 2.6, hot: 2.03, mib: 750 },
  "plain/image-predictions": { startUp: 0.8, first: 2.2, hot: 1.98, mib: 430 },
  "spark/image-embeddings": { startUp: 9.7, first: 14.1, hot: 3.02, mib: 2580 },
  "ray/image-embeddings": { startUp: 5.2, first: 12.2, hot: 2.77, mib: 2190 },
  "daft/image-embeddings": { startUp: 1.0, first: 2.5, hot: 2.06, mib: 790 },
  "plain/image-embeddings": { startUp: 0.8, first: 2.1, hot: 1.93, mib: 450 },
};

/** The twelve runs of the full matrix. */
export const fullMatrix = Object.keys(shapes);

const hex = (text: string, length: number) =>
  Buffer.from(`${text}${"0".repeat(64)}`)
    .toString("hex")
    .slice(0, length);

export interface Varied {
  readonly hot?: number;
  /** Factor on all times. */
  readonly factor?: number;
  readonly inputs?: Readonly<Record<string, string>>;
  /** Fields that replace those of the result. */
  readonly result?: Readonly<Record<string, unknown>>;
  readonly seed?: number;
}

/** A verified run as `npm start` leaves it, the same for the same arguments. */
export function verified(run: string, varied: Varied = {}): RunOutcome {
  const { hot = 3, factor = 1, seed = 1 } = varied;
  const [engine, workload] = run.split("/");
  const shape = shapes[run] ?? shapes["daft/taxi-report"];
  const next = random(seed + run.length * 7 + run.charCodeAt(0));
  const images = workload.startsWith("image");
  const totals = [
    shape.first,
    ...Array.from({ length: hot }, () => shape.hot * (0.96 + 0.1 * next())),
  ].map((total) => Number((total * factor).toFixed(4)));
  const samples = totals.map((totalSeconds, at) => ({
    kind: at === 0 ? ("first" as const) : ("hot" as const),
    fork: 1,
    totalSeconds,
    cpuSeconds: 1.6 * totalSeconds,
    othersCpuSeconds: Number((totalSeconds * 0.06 * next()).toFixed(3)),
    disturbed: false,
  }));
  const state = "steady" as const;
  const inputs = {
    data: hex(workload, 16),
    engineCode: hex(`${engine}code`, 16),
    coreCode: hex("core", 16),
    environment: hex("environment", 16),
    device: "cpu",
    measureSeconds: "10",
    maxSamples: "60",
    forks: "1",
    store: "1",
    resources: engine === "spark" ? "1 x 2 core 2g" : "2 threads",
    ...(images
      ? {
          batchSize: "32",
          decoder: engine === "daft" ? "own" : "pillow",
          maxRejected: "0",
          model: hex("model", 16),
        }
      : { fareAbove: "30" }),
    ...varied.inputs,
  };
  const key = hex(`${run}${JSON.stringify(inputs).length}`, 16);
  const result = {
    schema: schemaVersion,
    engine,
    workload,
    key,
    attempt: `20261122T2153${String(10 + (run.length % 50))}Z-${hex(run, 6)}`,
    device: "cpu" as const,
    startedAt: "2026-11-22T21:53:10+00:00",
    oneShotSeconds: shape.startUp + totals[0],
    medianSeconds: median(hot > 0 ? totals.slice(1) : totals),
    startUpSeconds: shape.startUp,
    forks: [
      {
        ...{ startUpSeconds: shape.startUp, state, slope: -0.001 },
        peakMemoryBytes: shape.mib * 2 ** 20,
      },
    ],
    samples,
    rowsIn: images ? 200 : 1_200_000,
    rows: images ? 198 : 9,
    rejected: images ? 2 : 0,
    rejects: images ? [{ reason: "truncated", count: 2 }] : [],
    bytesOut: images ? 1_050_000 : 4_200,
    requests: {
      byApi: { GetObject: images ? 203 : 48, HeadObject: 5, ListObjectsV2: 4, PutObject: 1 },
      receivedBytes: images ? 1_060_000 : 6_300,
      sentBytes: images ? 9_400_000 : 31_000_000,
    },
    limits: { cores: 2, memoryBytes: 6 * 2 ** 30 },
    peakMemoryBytes: shape.mib * 2 ** 20,
    idleMemoryBytes: (/spark|ray/.test(engine) ? 0.35 * shape.mib : 0) * 2 ** 20,
    cpuSeconds: 1.7 * totals.reduce((sum, total) => sum + total, 0),
    othersCpuSeconds: 0.31,
    checksum: hex(workload, 64),
    verified: true as const,
    deviations: images
      ? { missingRows: 0, unexpectedRows: 0, repeatedRows: 0, labels: 2, confidence: 0.0123 }
      : { missingRows: 0, trips: 0, revenue_cents: 0, revenue: 3.1e-16, avg_tip: 2.2e-16 },
    agreement: images ? { labels: 0.985 } : null,
    configuration: {
      memoryMeasure: "pss",
      persistsBetweenSamples: `what ${engine} keeps`,
      threads: 2,
      execution: { "spark.sql.shuffle.partitions": "2", targetBatch: 32 },
    },
    versions: { python: "3.11.2", [engine]: "1.2.3", pyarrow: "21.0.0" },
    host: {
      system: "Linux 6.1.0",
      machine: "x86_64",
      cpu: "Some Processor @ 2.80GHz",
      cores: 2,
      memoryBytes: 24 * 2 ** 30,
    },
    outputUri: `s3://warehouse/report/engine=${engine}/run=${key}/`,
    code: { commit: hex("commit", 40), dirty: false },
    ...varied.result,
  };
  const record: RunRecord = {
    summary: {
      key,
      status: "verified",
      verified: true,
      device: "cpu",
      outputUri: result.outputUri,
      rows: result.rows,
      rejected: result.rejected,
      checksum: result.checksum,
      oneShotSeconds: 2,
      medianSeconds: 1,
      state,
      samples: totals,
    },
    result,
    at: "2026-11-22T21:54:00.000Z",
  };
  return { run, record, inputs };
}

/** A run whose last attempt failed. */
export function failed(
  run: string,
  reason: string,
  published: string | null = null,
  status: RunFailure["status"] = "failed",
): RunOutcome {
  return {
    run,
    record: {
      summary: {
        key: hex(run, 16),
        status,
        verified: false,
        attempt: `20261122T215500Z-${hex(run, 6)}`,
        reason,
        log: `/state/local/logs/${run}/attempt.log`,
        published,
      },
      at: "2026-11-22T21:55:00.000Z",
    },
  };
}

/** A run that was asked for and has never come to an end. */
export function notRun(run: string): RunOutcome {
  return { run, record: undefined };
}

/** The runs of four engines and fifty workloads. */
export const twoHundred: readonly RunOutcome[] = Array.from({ length: 50 }, (_, at) =>
  ["spark", "ray", "daft", "polars"].map((engine) => {
    const run = `${engine}/workload-${at + 1}`;
    return at % 10 === 9 && engine === "ray" ? failed(run, "no memory") : verified(run);
  }),
).flat();
