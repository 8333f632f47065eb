import { type StepVerbs } from "../../infra/stack/runStep";
import { explained, listAll, listingOf, storeClient } from "../../infra/stores/client";
import { UserError } from "../../infra/contracts/errors";

interface Spec {
  readonly dataset: string;
  readonly bucket: string;
  readonly owns: readonly string[];
  /** Hash of the listing that the program saw. */
  readonly existing: string;
}

/** Data that somebody else has put into the store. */
export default {
  async create({ stack, spec: { dataset, bucket, owns, existing } }) {
    const client = storeClient(stack);
    const { hash, files, bytes } = listingOf(await explained(() => listAll(client, bucket, owns)));
    if (hash !== existing) {
      throw new UserError(
        `the ${dataset} data in bucket ${bucket} has changed since the program looked at it`,
        "every engine must read the same input",
        "run the same command again when nobody writes there",
      );
    }
    return { dataset, source: "existing", version: hash, files, bytes, manifestSha256: hash };
  },
} satisfies StepVerbs<Spec>;
