import { type StepVerbs } from "../../infra/stack/runStep";
import { explained, removePrefix, storeClient } from "../../infra/stores/client";

interface Spec {
  readonly bucket: string;
  readonly prefix: string;
}

export default {
  async create({ spec }) {
    return { uri: `s3://${spec.bucket}/${spec.prefix}` };
  },

  async delete({ stack, spec }) {
    const client = storeClient(stack);
    await explained(() => removePrefix(client, spec.bucket, spec.prefix));
  },
} satisfies StepVerbs<Spec>;
