import { type StepVerbs } from "../../stack/runStep";
import { explained, removePrefix, storeClient } from "../client";

interface Spec {
  readonly bucket: string;
}

export default {
  async create({ stack, spec: { bucket } }) {
    const client = storeClient(stack);
    await explained(async () => {
      if (!(await client.bucketExists(bucket))) await client.makeBucket(bucket);
    });
    return { bucket };
  },

  async delete({ stack, spec: { bucket } }) {
    const client = storeClient(stack);
    await explained(async () => {
      if (!(await client.bucketExists(bucket))) return;
      await removePrefix(client, bucket, "");
      await client.removeBucket(bucket);
    });
  },
} satisfies StepVerbs<Spec>;
