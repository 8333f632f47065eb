import { stackId } from "../../stack/owner";
import type { StepVerbs } from "../../stack/runStep";
import { storeRecord } from "../access";
import { claimBucket, releaseBucket } from "../claim";
import { explained, storeClient } from "../client";

export interface ClaimedBucketSpec {
  readonly bucket: string;
  readonly prefixes: readonly string[];
}

/** A bucket of an external store. */
export default {
  async create({ stack, spec: { bucket, prefixes } }) {
    const client = storeClient(stack);
    const { region } = storeRecord(stack)!;
    const id = stackId(stack);
    const { made } = await explained(() =>
      claimBucket(client, bucket, region, { id, stack, prefixes }),
    );
    return { bucket, made };
  },

  async delete({ stack, spec: { bucket } }) {
    const client = storeClient(stack);
    await explained(() => releaseBucket(client, bucket, { id: stackId(stack), stack }));
  },
} satisfies StepVerbs<ClaimedBucketSpec>;
