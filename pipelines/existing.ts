import type { Settings } from "../infra/settings";
import { readClaim } from "../infra/storage/claim";
import { explained } from "../infra/storage/client";
import { listingOf } from "../infra/storage/listing";
import { UserError } from "../infra/userError";
import { datasetPlaces } from "./dataset";
import type { ChosenRun } from "./matrix";
import { workloadOf, type DatasetName } from "./workloads";

/**
 * With `datasetSource: existing`, looks at what the store has of the datasets that runs read.
 *
 * @returns the hash of each dataset's listing; undefined with any other source
 * @throws UserError where there is nothing, or the stack itself has put it there
 */
export async function lookAtExisting(
  settings: Settings,
  chosen: readonly ChosenRun[],
): Promise<ReadonlyMap<DatasetName, string> | undefined> {
  if (settings.datasetSource !== "existing") return undefined;
  const { storeOfSettings } = await import("../infra/storage/s3");
  const { client, buckets } = storeOfSettings(settings);
  const names = [...new Set(chosen.map(({ workload }) => workloadOf(workload).dataset))];
  const seen = names.map(async (name) => {
    const { bucket: purpose, owns } = datasetPlaces[name];
    const bucket = buckets[purpose];
    const claim = await readClaim(client, bucket);
    const own = claim?.prefixes.find((prefix) => owns.includes(prefix));
    if (own !== undefined) throw notThere(`what bucket ${bucket} has at ${own} is a stack's own`);
    const there = await client.bucketExists(bucket);
    const { hash, files } = there ? await listingOf(client, bucket, owns) : { hash: "", files: 0 };
    if (files === 0) throw notThere(`bucket ${bucket} has nothing at ${owns.join(" and ")}`);
    return [name, hash] as const;
  });
  return new Map(await explained(() => Promise.all(seen)));
}

function notThere(what: string): UserError {
  return new UserError(
    what,
    "datasetSource is existing: runs read data that somebody else has put there",
    "set bucketNames to where it is, or datasetSource to sample",
  );
}
