import { bucketPurposes, type BucketNames, type BucketPurpose } from "../contracts/platform";
import { wrong, type UserError } from "../contracts/errors";

/** The buckets of a store that the stack owns. */
export const ownBuckets: BucketNames = {
  lake: "lake",
  images: "bucket",
  warehouse: "warehouse",
  output: "output",
};

/** What S3 asks of a bucket's name, for people. */
export const bucketNameRule =
  "a bucket's name has 3 to 63 lower-case letters, digits, dots and dashes, with a letter or digit at each end";

/**
 * Whether S3 takes a name for a bucket that is reached by TLS and by virtual hosts, too
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
 */
export function isBucketName(name: string): boolean {
  return (
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) &&
    !/\.\.|^xn--|^sthree-|^amzn-s3-demo-|-s3alias$|--ol-s3$|\.mrap$|--x-s3$|--table-s3$/.test(
      name,
    ) &&
    !/^\d+\.\d+\.\d+\.\d+$/.test(name)
  );
}

/** Names by the settings: what is named there, else the usual names after the prefix. */
export function bucketsNamed(prefix = "", named: Partial<BucketNames>): BucketNames {
  const all = bucketPurposes.map((purpose) => [purpose, prefix + ownBuckets[purpose]]);
  return { ...(Object.fromEntries(all) as BucketNames), ...named };
}

/** What buckets are for of which a stack only reads what somebody else has put there. */
export function onlyRead(datasetSource: string): readonly BucketPurpose[] {
  return datasetSource === "existing" ? ["lake", "images"] : [];
}

export function sharedBuckets(names: readonly string[]): UserError[] {
  if (new Set(names).size === names.length) return [];
  return wrong(
    `bucketNames gives two purposes the same bucket: ${names.join(", ")}`,
    "what is for one would be mixed with what is for the other",
    "give each purpose a different bucket",
  );
}
