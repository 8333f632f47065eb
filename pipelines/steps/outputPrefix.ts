import { runStep } from "../../infra/runStep";
import { explained, removePrefix, storeClient } from "../../infra/storage/client";

interface Spec {
  readonly bucket: string;
  readonly prefix: string;
}

void runStep<Spec>({
  async create({ spec }) {
    return { uri: `s3://${spec.bucket}/${spec.prefix}` };
  },

  async delete({ stack, spec }) {
    const client = await storeClient(stack);
    await explained(() => removePrefix(client, spec.bucket, spec.prefix));
  },
});
