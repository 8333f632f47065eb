import type { BucketPurpose } from "../infra/storage/buckets";
import type { Settings } from "../infra/settings";
import { UserError } from "../infra/userError";

export type WorkloadName = Settings["workloads"][number];
export type EngineName = Settings["engines"][number];
export type DatasetName = "taxi" | "photos";

/** What the program must know of a workload; what it computes is in the Python package. */
export interface Workload {
  readonly dataset: DatasetName;
  /** Where its output goes: `<bucket>/<prefix>/engine=<engine>/run=<key>/`. */
  readonly output: { readonly bucket: BucketPurpose; readonly prefix: string };
  readonly usesModel: boolean;
  /** The settings that decide what the right answer is. */
  readonly question: (settings: Settings) => Record<string, string>;
  /** The settings that only decide how a run gets there. */
  readonly manner: (settings: Settings) => Record<string, string>;
}

const images = {
  dataset: "photos",
  usesModel: true,
  question: () => ({}),
  manner: (settings: Settings) => ({
    batchSize: String(settings.batchSize),
    decode: settings.decode,
    maxRejected: String(settings.maxRejected),
  }),
} as const;

/** Every workload, by name. */
export const workloads: Readonly<Record<WorkloadName, Workload>> = {
  "taxi-report": {
    dataset: "taxi",
    output: { bucket: "warehouse", prefix: "report" },
    usesModel: false,
    question: (settings) => ({ fareAbove: String(settings.fareAbove) }),
    manner: () => ({}),
  },
  "image-predictions": { ...images, output: { bucket: "images", prefix: "predictions" } },
  "image-embeddings": { ...images, output: { bucket: "images", prefix: "embeddings" } },
};

/** The three runs of the seed, which go first. */
const seed: readonly (readonly [EngineName, WorkloadName])[] = [
  ["spark", "taxi-report"],
  ["ray", "image-predictions"],
  ["daft", "image-embeddings"],
];

/** A run and its place in the machine's order of runs, which no setting changes. */
export interface ChosenRun {
  readonly engine: EngineName;
  readonly workload: WorkloadName;
  readonly rank: number;
}

/** Every engine. */
export const engines: readonly EngineName[] = ["spark", "ray", "daft", "baseline"];

/** Every run there is, in the order in which runs are carried out: the seed's three first. */
function allRuns(): ChosenRun[] {
  const isSeed = (engine: EngineName, workload: WorkloadName) =>
    seed.some(([e, w]) => e === engine && w === workload);
  const rest = engines.flatMap((engine) =>
    (Object.keys(workloads) as WorkloadName[])
      .filter((workload) => !isSeed(engine, workload))
      .map((workload) => [engine, workload] as const),
  );
  return [...seed, ...rest].map(([engine, workload], rank) => ({ engine, workload, rank }));
}

/**
 * The runs that the settings ask for, in order.
 *
 * @throws UserError when the settings leave none
 */
export function chosenRuns(settings: Settings): ChosenRun[] {
  const chosen = allRuns().filter(
    ({ engine, workload, rank }) =>
      settings.engines.includes(engine) &&
      settings.workloads.includes(workload) &&
      (settings.matrix === "full" || rank < seed.length),
  );
  if (chosen.length === 0) {
    throw new UserError(
      `engines [${settings.engines}], workloads [${settings.workloads}] and matrix ` +
        `${settings.matrix} leave nothing to run`,
      "a comparison without a run has no result",
      "set matrix to full, or add one of " + seed.map((run) => run.join("/")).join(", "),
    );
  }
  return chosen;
}
