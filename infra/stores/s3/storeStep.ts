import * as fs from "node:fs";
import { type StepVerbs } from "../../stack/runStep";
import { UserError } from "../../contracts/errors";
import { stackFiles, writeWhole } from "../../stack/files";
import { releaseUnclaimed } from "../claim";
import { explained, storeClient } from "../client";
import { certificatesHash, readCertificates } from "../certificates";
import type { BucketNames } from "../../contracts/platform";

interface Spec {
  /** The kind of store: others that speak S3 may use this step, too. */
  readonly store: string;
  readonly endpoint: string;
  readonly region: string;
  readonly pathStyle: boolean;
  /** The user's file, relative to the checkout or absolute, and the hash of what is in it. */
  readonly certificates: { readonly file: string; readonly hash: string } | null;
  readonly buckets: BucketNames;
}

/** Keeps how the stack's store is reached; its keys are kept with the stack's other secrets. */
export default {
  async create({ stack, spec: { store, certificates, endpoint, region, pathStyle, buckets } }) {
    keepCertificates(stack, certificates);
    return {
      ...{ store, endpoint, region, pathStyle, buckets },
      certificates: certificates?.hash ?? null,
    };
  },
  async delete({ stack }) {
    await explained(() => releaseUnclaimed(storeClient(stack), stack));
    for (const file of [stackFiles(stack).storeCertificates, stackFiles(stack).buckets]) {
      fs.rmSync(file, { force: true });
    }
  },
} satisfies StepVerbs<Spec>;

/** A copy, so that jobs trust what was declared when the user's file changes. */
function keepCertificates(stack: string, certificates: Spec["certificates"]): void {
  const kept = stackFiles(stack).storeCertificates;
  if (certificates === null) return fs.rmSync(kept, { force: true });
  const text = readCertificates(certificates.file);
  if (certificatesHash(text) !== certificates.hash) {
    throw new UserError(
      `${certificates.file} changed while it was being deployed`,
      "what is trusted would not be what was declared",
      "run the same command again",
    );
  }
  writeWhole(kept, text);
}
