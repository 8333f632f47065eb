import { type StepVerbs } from "../../stack/runStep";
import { storeRecord } from "../access";
import { claimBucket, releaseBucket } from "../claim";
import { explained, storeClient } from "../client";

interface Spec {
  readonly bucket: string;
  readonly prefixes: readonly string[];
}

/** A bucket of a store that is not the stack's own. */
export default {
  async create({ stack, spec: { bucket, prefixes } }) {
    const client = storeClient(stack);
    const { id, region } = storeRecord(stack)!;
    const { made } = await explained(() =>
      claimBucket(client, bucket, region, { id, stack, prefixes }),
    );
    return { bucket, made };
  },

  async delete({ stack, spec: { bucket } }) {
    const client = storeClient(stack);
    await explained(() => releaseBucket(client, bucket, storeRecord(stack)?.id));
  },
} satisfies StepVerbs<Spec>;
