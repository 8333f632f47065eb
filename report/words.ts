import { engines } from "../pipelines/engines";
import type { Verified } from "../results/outcome";

/** An engine as people write it; one whose file is gone goes by its name. */
export function engineName(engine: string): string {
  return engines().find(({ name }) => name === engine)?.label ?? engine;
}

/** Whether an engine's file has a way to do a workload; of a file that is gone nobody knows. */
export function canDo(engine: string, workload: string): boolean {
  return (
    engines()
      .find(({ name }) => name === engine)
      ?.workloads.includes(workload) ?? true
  );
}

/** The order of engines in every table and chart: the baseline last. */
export function byEngineOrder(a: string, b: string): number {
  const place = (engine: string) => (engine === "baseline" ? Infinity : placeOf(engine));
  return a === b ? 0 : place(a) - place(b) || (a < b ? -1 : 1);
}

/** An engine's colour in style.css: four have their own, all others share three more. */
export function engineColor(engine: string): string {
  const place = placeOf(engine);
  return `var(--engine-${place < 4 ? place : 4 + ((place - 4) % 3)})`;
}

/** The place of an engine among all; behind them where its file is gone. */
function placeOf(engine: string): number {
  const place = engines().findIndex(({ name }) => name === engine);
  return place < 0 ? engines().length : place;
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

/** What of an engine outlives a sample and so makes the next one hot, as the engine itself says. */
export function whatPersists({ configuration }: Verified): string {
  const said = configuration.persistsBetweenSamples;
  return typeof said === "string" ? said : "not stated by the engine";
}
