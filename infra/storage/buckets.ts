import * as pulumi from "@pulumi/pulumi";
import type { ObjectStore } from "../platform";
import { step } from "../step";

/** What each bucket is for, as the pipelines name them. */
export type BucketPurpose = "lake" | "images" | "warehouse" | "output";

/** The name of the bucket for each purpose. */
export type BucketNames = Readonly<Record<BucketPurpose, string>>;

/** The buckets of a store that the stack owns. */
export const ownBuckets: BucketNames = {
  lake: "lake",
  images: "bucket",
  warehouse: "warehouse",
  output: "output",
};

export interface BucketsArgs {
  readonly objectStore: ObjectStore;
}

/** The four buckets, made through the S3 API so that any store will do. */
export class Buckets extends pulumi.ComponentResource {
  readonly names: BucketNames = ownBuckets;
  /** The bucket resources, to depend on. */
  readonly all: pulumi.Resource[];

  constructor(name: string, args: BucketsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:storage:Buckets", name, {}, opts);
    const { data, ready, marker } = args.objectStore;
    this.all = Object.values(this.names).map((bucket) =>
      step(
        `bucket-${bucket}`,
        { script: "infra/storage/steps/bucket.ts", spec: { bucket, store: marker } },
        { parent: this, dependsOn: ready, deletedWith: data },
      ),
    );
    this.registerOutputs({ names: this.names });
  }
}
