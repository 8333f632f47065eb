import type { Verified } from "./outcome";

const engineNames: Readonly<Record<string, string>> = {
  spark: "Spark",
  ray: "Ray Data",
  daft: "Daft",
  baseline: "Baseline",
};

/** An engine as people write it; a new engine goes by its own name. */
export function engineName(engine: string): string {
  return Object.hasOwn(engineNames, engine) ? engineNames[engine] : engine;
}

/** The order of engines in every table and chart: the known ones, new ones, the baseline last. */
export function byEngineOrder(a: string, b: string): number {
  const known = ["spark", "ray", "daft", "", "baseline"];
  const place = (engine: string) => known.indexOf(known.includes(engine) ? engine : "");
  return place(a) - place(b) || (a < b ? -1 : 1);
}

/** An engine's colour in style.css; engines beyond the known share three more. */
export function engineColor(engine: string): string {
  const known = Object.keys(engineNames).indexOf(engine);
  if (known >= 0) return `var(--engine-${known})`;
  const sum = [...engine].reduce((total, letter) => total + letter.codePointAt(0)!, 0);
  return `var(--engine-${4 + (sum % 3)})`;
}

interface WorkloadWords {
  readonly title: string;
  /** What goes in, in the plural. */
  readonly unit: string;
  readonly what: (inputs: Readonly<Record<string, string>>) => string;
  /** How outputs are judged; the limits are those of engine_comparison/workloads/. */
  readonly judged: (shared: boolean) => string;
}

const decoding =
  "With decode: native each engine decodes and resizes in its own best way, so answers may differ " +
  "a little from the oracle's, which decodes with Pillow.";

const workloads: Readonly<Record<string, WorkloadWords>> = {
  "taxi-report": {
    title: "Tabular ETL",
    unit: "trips",
    what: ({ fareAbove }) =>
      `Read the trips, keep those with a fare above ${fareAbove ? `$${fareAbove}` : "a limit"}, ` +
      "join the zones, sum up by borough, write Parquet.",
    judged: () =>
      "Boroughs, counts and cents are equal to the oracle's (DuckDB); sums and means of floats " +
      "are within 1e-9, relatively.",
  },
  "image-predictions": {
    title: "Batch inference",
    unit: "images",
    what: ({ batchSize }) =>
      "Fetch, decode and resize the listed photographs, classify them" +
      `${batchSize ? ` in batches of ${batchSize}` : ""}, write labels and confidences as Parquet.`,
    judged: (shared) =>
      shared
        ? "With decode: shared all labels are equal to the oracle's, and confidences within 1e-4."
        : "At least 98 % of the labels are the oracle's first choice, or one that the oracle finds " +
          `at least 0.8 times as likely. ${decoding}`,
  },
  "image-embeddings": {
    title: "Multimodal embedding",
    unit: "images",
    what: ({ batchSize }) =>
      "Fetch, decode and resize the listed photographs, compute a vector of each" +
      `${batchSize ? ` in batches of ${batchSize}` : ""}, write them as Parquet.`,
    judged: (shared) =>
      shared
        ? "With decode: shared every number is within 1e-4 of the oracle's."
        : `Every vector has a cosine of at least 0.995 with the oracle's. ${decoding}`,
  },
};

/** What people are told about a workload; of a new one, no more than its name. */
export function workloadWords(workload: string): WorkloadWords {
  return Object.hasOwn(workloads, workload)
    ? workloads[workload]
    : {
        title: "",
        unit: "rows",
        what: () => "",
        judged: () => "Outputs are compared with the oracle's.",
      };
}

const persists: Readonly<Record<string, string>> = {
  spark:
    "the driver's JVM, one executor a worker with its compiled code, and its Python workers with the model they loaded",
  ray: "the cluster, its worker processes and the model that tasks cached in them; a pool of actors is started anew for each sample",
  daft: "the process with its thread pool, and the session of the model",
  "daft on ray": "the cluster, its worker processes and the sessions of the model in them",
  baseline: "the process with its thread pool, and the session of the model",
};

/** What of an engine outlives a sample and so makes the next one hot. */
export function whatPersists({ engine, configuration }: Verified): string {
  const said = configuration.persistsBetweenSamples;
  if (typeof said === "string") return said;
  const kind = engine === "daft" && configuration.runner === "ray" ? "daft on ray" : engine;
  return Object.hasOwn(persists, kind) ? persists[kind] : "not stated by the engine";
}
