import * as pulumi from "@pulumi/pulumi";
import {
  bucketPurposes,
  type BucketNames,
  type BucketPurpose,
  type DeclaredBucket,
  type ObjectStore,
} from "../contracts/platform";
import { generation } from "../stack/records";
import { step } from "../stack/step";
import { ownBuckets } from "../settings/bucketNames";
import { bucketRecord } from "./access";

export interface BucketsArgs {
  /** The store that they are made in. @example platform.objectStore */
  readonly objectStore: ObjectStore;
  /** What the stack puts into each: keys begin with one of these. @example bucketPrefixes() */
  readonly prefixes: Readonly<Record<BucketPurpose, readonly string[]>>;
}

/** The buckets, made in the store's own way. */
export class Buckets extends pulumi.ComponentResource {
  readonly names: BucketNames;
  readonly all: pulumi.Resource[];

  constructor(name: string, args: BucketsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:storage:Buckets", name, {}, opts);
    const { objectStore, prefixes } = args;
    const { bucketNames = ownBuckets, declareBucket = ownBucket(objectStore), ready } = objectStore;
    this.names = bucketNames;
    // Where the stack puts nothing, it only reads, and the bucket is not its own.
    const written = bucketPurposes.filter((purpose) => prefixes[purpose].length > 0);
    this.all = written.map((purpose) =>
      declareBucket(
        name,
        { purpose, bucket: bucketNames[purpose], prefixes: prefixes[purpose] },
        { parent: this, dependsOn: ready },
      ),
    );
    this.registerOutputs({ names: this.names });
  }
}

/** Declares buckets of the stack's own store: all that is in them goes with its data. */
const ownBucket =
  ({ data, dataId }: ObjectStore) =>
  (owner: string, { bucket }: DeclaredBucket, opts: pulumi.CustomResourceOptions) => {
    const record = bucketRecord(bucket);
    const current = generation(pulumi.getStack(), record, ({ lost }) => !lost);
    const spec = { bucket, store: dataId, generation: current };
    return step(
      `${owner}-${bucket}`,
      { kind: "minio-bucket", record, spec, deletes: false },
      { ...opts, deletedWith: data },
    );
  };
