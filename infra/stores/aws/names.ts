import { createHash } from "node:crypto";
import type { BucketNames } from "../../contracts/platform";
import { bucketPurposes, ownBuckets } from "../../settings/checks";
import type { Account } from "./provider";

/** The provider of @pulumi/aws 7.48.0, which the Pulumi CLI downloads for the stacks that ask for it. */
export const awsVersion = "7.48.0";

const longest = 63;

/**
 * Names for buckets that nobody else has: names are unique in all of AWS. They are known before the
 * buckets are, because datasets and so run keys follow from them.
 *
 * @param prefix what they begin with, in place of the project's and the stack's name
 * @param named whole names, which are taken as they are
 */
export function awsBucketNames(
  stack: string,
  { id, partition, region }: Account,
  prefix: string | undefined,
  named: Partial<BucketNames>,
): BucketNames {
  const unique = createHash("sha256")
    .update([partition, id, region, stack].join("\0"))
    .digest("hex")
    .slice(0, 12);
  const start = prefix ?? `engine-comparison-${plain(stack)}-`;
  const name = (purpose: keyof BucketNames) => {
    const end = `${ownBuckets[purpose]}-${unique}`;
    const room = start.slice(0, longest - end.length - 1).replace(/[.-]+$/, "");
    return `${room}-${end}`;
  };
  const made = Object.fromEntries(bucketPurposes.map((purpose) => [purpose, name(purpose)]));
  return { ...(made as BucketNames), ...named };
}

/** A stack's name in the characters that a bucket's may have. */
function plain(stack: string): string {
  return stack
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}
