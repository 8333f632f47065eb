import { bucketPurposes, type BucketNames, type BucketPurpose } from "../infra/contracts/platform";
import { onlyRead } from "../infra/settings/bucketNames";
import { datasets, workloadOf, workloads } from "../results/catalog";
import { reportKey } from "../results/records";

/** The step that makes a dataset; its record says what was made, with the manifest's hash. */
export const makingStep = (dataset: string): string => `${dataset}-files`;

export const uploadStep = (dataset: string): string => `${dataset}-upload`;

/** The step that looks at a dataset before any run; its record has what jobs get to know of it. */
export const inspectionStep = (dataset: string): string => `${dataset}-inspection`;

export const oracleName = (workload: string): string => `oracle-${workload}`;

/** Where what an engine publishes of a workload lies; the prefix ends with a slash. */
export interface OutputPlace {
  readonly bucket: string;
  readonly prefix: string;
}

export function outputPlace(
  engine: string,
  workload: string,
  buckets: BucketNames,
  datasetSource: string,
): OutputPlace {
  const bucket = buckets[outputPurpose(workload, datasetSource)];
  return { bucket, prefix: `${workloadOf(workload).prefix}/engine=${engine}/` };
}

/** What the bucket of a workload's output is for: nothing is put beside data that is only read. */
function outputPurpose(workload: string, datasetSource: string): BucketPurpose {
  const { purpose } = workloadOf(workload);
  return onlyRead(datasetSource).includes(purpose) ? "output" : purpose;
}

/** What is in the bucket for outputs besides what workloads put there. */
const ofOutput = ["inputs/", "oracles/", "results/", `${reportKey.split("/")[0]}/`];

/** All that a stack ever puts into each bucket, whatever it is asked to run. */
export function bucketPrefixes(datasetSource = "sample") {
  const places = [
    ...(datasetSource === "existing" ? [] : datasets()).flatMap(({ bucket, owns }) =>
      owns.map((prefix) => ({ bucket, prefix })),
    ),
    ...workloads().map(({ name, prefix }) => ({
      bucket: outputPurpose(name, datasetSource),
      prefix: `${prefix}/`,
    })),
    ...ofOutput.map((prefix) => ({ bucket: "output", prefix })),
  ];
  const of = (purpose: BucketPurpose) =>
    places.filter(({ bucket }) => bucket === purpose).map(({ prefix }) => prefix);
  return Object.fromEntries(
    bucketPurposes.map((purpose) => [purpose, [...new Set(of(purpose))].sort()]),
  ) as unknown as Record<BucketPurpose, string[]>;
}
