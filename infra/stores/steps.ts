import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout } from "node:timers/promises";
import { UserError } from "../contracts/errors";
import type { BucketNames } from "../contracts/platform";
import { datasetFolder } from "../host/folders";
import { shortHash, stackFiles, writeWhole } from "../stack/files";
import { stackId } from "../stack/owner";
import type { StepVerbs } from "../stack/runStep";
import { assumeRole, readCertificates, storeRecord, type StoreRecord } from "./access";
import { claimBucket, releaseBucket, releaseUnclaimed } from "./claim";
import { explained, probeParts, removePrefix, storeClient } from "./client";
import { sync, type ManifestEntry } from "./upload";

type S3StoreSpec = Omit<StoreRecord, "certificates" | "role"> & {
  /** The user's file, relative to the checkout or absolute, and the hash of what is in it. */
  readonly certificates: { readonly file: string; readonly hash: string } | null;
  readonly keys?: number;
  readonly generation: string;
};

/** Keeps how an external store is reached; its keys are kept with the stack's other secrets. */
export const s3Store: StepVerbs<S3StoreSpec> = {
  async create({ stack, spec }) {
    const { certificates, keys: _keys, generation: _generation, ...place } = spec;
    keepCertificates(stack, certificates);
    return { ...place, certificates: certificates?.hash ?? null };
  },

  async delete({ stack }) {
    await explained(() => releaseUnclaimed(storeClient(stack), stack));
    for (const file of [stackFiles(stack).storeCertificates, stackFiles(stack).buckets]) {
      fs.rmSync(file, { force: true });
    }
  },
};

/** A copy, so that jobs trust what was declared when the user's file changes. */
function keepCertificates(stack: string, certificates: S3StoreSpec["certificates"]): void {
  const kept = stackFiles(stack).storeCertificates;
  if (certificates === null) return fs.rmSync(kept, { force: true });
  const text = readCertificates(certificates.file);
  if (shortHash(text) !== certificates.hash) {
    throw new UserError(
      `${certificates.file} changed while it was being deployed`,
      "what is trusted would not be what was declared",
      "run the same command again",
    );
  }
  writeWhole(kept, text);
}

/** A bucket of an external store, of which the stack has what begins with the prefixes. */
export const s3Bucket: StepVerbs<{ bucket: string; prefixes: readonly string[] }> = {
  async create({ stack, spec: { bucket, prefixes } }) {
    const { region, role } = storeRecord(stack)!;
    const claim = { id: stackId(stack), stack, prefixes };
    const client = storeClient(stack);
    const work = () => claimBucket(client, bucket, region, claim);
    const { made } = await explained(role === undefined ? work : () => onceAllowed(work));
    if (role === undefined) await explained(() => probeParts(client, bucket, prefixes[0]));
    return { bucket, made };
  },

  async delete({ stack, spec: { bucket } }) {
    const client = storeClient(stack);
    await explained(() => releaseBucket(client, bucket, { id: stackId(stack), stack }));
  },
};

/** Keeps how the stack's buckets at AWS are reached: by the role of the pipelines. */
export const awsStore: StepVerbs<{
  endpoint: string;
  region: string;
  role: string;
  buckets: BucketNames;
}> = {
  async create({ stack, spec: { endpoint, region, role, buckets } }) {
    await onceAllowed(() => assumeRole(role, region, `engine-comparison-${stack}`));
    return {
      ...{ store: "aws", endpoint, region, pathStyle: false, buckets },
      ...{ certificates: null, role },
    };
  },
};

/** IAM's changes arrive within seconds, seldom within a minute. */
const propagation = { tries: 20, pauseMs: 3_000 };

/** Does what IAM has just allowed, again while it is still refused: IAM is eventually consistent. */
export async function onceAllowed<T>(
  work: () => T | Promise<T>,
  { tries, pauseMs } = propagation,
): Promise<T> {
  for (let left = tries - 1; ; left--) {
    try {
      return await work();
    } catch (error) {
      const { code = "", message } = error as { code?: string; message: string };
      if (left === 0 || !/AccessDenied/.test(`${code} ${message}`)) throw error;
      await setTimeout(pauseMs);
    }
  }
}

/** A bucket of the stack's MinIO. It goes with the store's data. */
export const minioBucket: StepVerbs<{ bucket: string }> = {
  async create({ stack, spec: { bucket } }) {
    const client = storeClient(stack);
    await explained(async () => {
      if (!(await client.bucketExists(bucket))) await client.makeBucket(bucket);
    });
    return { bucket };
  },
};

export const upload: StepVerbs<{
  readonly dataset: string;
  /** Names the dataset's folder in the cache. */
  readonly version: string;
  readonly bucket: string;
  /** The prefixes that this dataset owns in the bucket. */
  readonly owns: readonly string[];
}> = {
  async create({ stack, spec: { dataset, version, bucket, owns } }) {
    const folder = datasetFolder(dataset, version);
    const text = fs.readFileSync(path.join(folder, "manifest.json"), "utf8");
    const manifest = JSON.parse(text) as ManifestEntry[];
    const client = storeClient(stack);
    return { ...(await explained(() => sync(client, bucket, folder, manifest, owns))) };
  },

  async delete({ stack, spec: { bucket, owns } }) {
    const client = storeClient(stack);
    await explained(async () => {
      for (const prefix of owns) await removePrefix(client, bucket, prefix);
    });
  },
};
