import type { BucketPurpose } from "../infra/contracts/platform";
import { bucketPurposes } from "../infra/settings/bucketNames";
import { datasetPlaces } from "./dataset";
import { reportKey } from "../results/records";
import { workloads } from "./workloads";

/** What is in the bucket for outputs besides what workloads put there. */
const ofOutput = ["oracles/", "results/", `${reportKey.split("/")[0]}/`];

/**
 * All that a stack ever puts into each bucket, whatever it is asked to run.
 *
 * @param datasets whether datasets are the stack's own
 */
export function bucketPrefixes(
  datasets = true,
): Readonly<Record<BucketPurpose, readonly string[]>> {
  const places = [
    ...Object.values(datasets ? datasetPlaces : {}).flatMap(({ bucket, owns }) =>
      owns.map((prefix) => ({ bucket, prefix })),
    ),
    ...workloads().map(({ output }) => ({ bucket: output.bucket, prefix: `${output.prefix}/` })),
    ...ofOutput.map((prefix) => ({ bucket: "output" as const, prefix })),
  ];
  const of = (purpose: BucketPurpose) =>
    places.filter(({ bucket }) => bucket === purpose).map(({ prefix }) => prefix);
  return Object.fromEntries(
    bucketPurposes.map((purpose) => [purpose, [...new Set(of(purpose))].sort()]),
  ) as unknown as Record<BucketPurpose, string[]>;
}
