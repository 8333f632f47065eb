import * as fs from "node:fs";
import * as path from "node:path";
import { npm, wrong } from "../infra/contracts/check";
import type { UserError } from "../infra/contracts/errors";
import { check, deployed, type StackContext } from "../infra/host/checks";
import { datasetFolder } from "../infra/host/folders";
import { readStepRecord } from "../infra/stack/records";
import { bucketNamesOf } from "../infra/stores/access";
import { explained, listObjects, storeClient } from "../infra/stores/client";
import type { ManifestEntry } from "../infra/stores/upload";
import { datasetOf, workloadOf } from "../results/catalog";
import { chosenRuns } from "./matrix";
import { makingStep } from "./places";

/** A dataset that runs read, and what is in the store of it. */
export interface DataFacts {
  readonly dataset: string;
  /** The bucket's name. */
  readonly bucket: string;
  readonly bucketExists: boolean;
  /** Sizes in bytes of the objects, by name. */
  readonly objects: ReadonlyMap<string, number>;
  /** The files that were uploaded; undefined where that is not known any more. */
  readonly manifest?: readonly Pick<ManifestEntry, "path" | "bytes">[];
}

export function missingData(all: readonly DataFacts[], stack: string): UserError[] {
  return all.flatMap(({ dataset, bucket, bucketExists, objects, manifest }) => {
    const missing = (what: string) =>
      wrong(
        what,
        "runs that read it fail (FileNotFoundError, NoSuchKey, NoSuchBucket)",
        `${npm(stack, "start")} uploads what never was; what was removed since comes back with ` +
          `${npm(stack, "destroy")} before it, which keeps the results`,
      );
    if (!bucketExists) return missing(`bucket ${bucket} with the ${dataset} data is gone`);
    if (objects.size === 0) return missing(`bucket ${bucket} has nothing of the ${dataset} data`);
    const differing = (manifest ?? []).filter(({ path, bytes }) => objects.get(path) !== bytes);
    if (differing.length === 0) return [];
    return missing(
      `${differing.length} of ${manifest!.length} files of the ${dataset} data are not in bucket ${bucket} as they were uploaded, e.g. ${differing[0].path}`,
    );
  });
}

async function dataFacts({ stack, settings }: StackContext): Promise<DataFacts[]> {
  const client = storeClient(stack);
  const datasets = new Set(
    chosenRuns(settings).map(({ workload }) => workloadOf(workload).dataset),
  );
  const all = [...datasets].map(async (dataset): Promise<DataFacts> => {
    const { bucket: purpose, owns } = datasetOf(dataset);
    const bucket = bucketNamesOf(stack)[purpose];
    const bucketExists = await client.bucketExists(bucket);
    const listed = await Promise.all(
      bucketExists ? owns.map((prefix) => listObjects(client, bucket, prefix)) : [],
    );
    const objects = listed.flatMap((each) => [...each]);
    return {
      dataset,
      bucket,
      bucketExists,
      objects: new Map(objects.map(([name, { size }]) => [name, size])),
      manifest: manifestOf(stack, dataset),
    };
  });
  return explained(() => Promise.all(all));
}

function manifestOf(stack: string, dataset: string): ManifestEntry[] | undefined {
  const version = readStepRecord(stack, makingStep(dataset))?.result.version;
  const file = path.join(datasetFolder(dataset, String(version)), "manifest.json");
  return fs.existsSync(file)
    ? (JSON.parse(fs.readFileSync(file, "utf8")) as ManifestEntry[])
    : undefined;
}

export const dataCheck = check({
  id: "data",
  name: "the store has the data that runs read",
  blocks: false,
  applies: deployed,
  after: ["docker", "store"],
  observe: dataFacts,
  judge: (facts, { stack }) => missingData(facts, stack),
});
