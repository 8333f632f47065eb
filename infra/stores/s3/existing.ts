import type { Settings } from "../../settings/schema";
import { UserError } from "../../contracts/errors";
import { readClaim } from "../claim";
import { explained, listAll, listingOf, type Listing } from "../client";
import type { BucketPurpose } from "../../contracts/platform";
import { storeOfSettings } from "./store";

/**
 * Looks at what somebody else has put into the store that settings name.
 *
 * @throws UserError where there is nothing, or the stack itself has put it there
 */
export async function lookAtForeign(
  settings: Settings,
  purpose: BucketPurpose,
  prefixes: readonly string[],
): Promise<Listing> {
  const { client, buckets } = storeOfSettings(settings);
  const bucket = buckets[purpose];
  return explained(async () => {
    const claim = await readClaim(client, bucket);
    const own = claim?.prefixes.find((prefix) => prefixes.includes(prefix));
    if (own !== undefined) throw notThere(`what bucket ${bucket} has at ${own} is a stack's own`);
    const there = await client.bucketExists(bucket);
    const listing = there ? listingOf(await listAll(client, bucket, prefixes)) : undefined;
    if (!listing?.files)
      throw notThere(`bucket ${bucket} has nothing at ${prefixes.join(" and ")}`);
    return listing;
  });
}

function notThere(what: string): UserError {
  return new UserError(
    what,
    "datasetSource is existing: runs read data that somebody else has put there",
    "set bucketNames to where it is, or datasetSource to sample",
  );
}
