import * as pulumi from "@pulumi/pulumi";
import type {
  BucketNames,
  BucketPurpose,
  DeclaredBucket,
  ObjectStore,
} from "../contracts/platform";
import { generation } from "../stack/records";
import { step } from "../stack/step";
import { bucketPurposes, ownBuckets } from "../settings/bucketNames";

interface BucketsArgs {
  readonly objectStore: ObjectStore;
  /** Of each bucket, what the stack puts into it. */
  readonly prefixes: Readonly<Record<BucketPurpose, readonly string[]>>;
}

/** The four buckets, made in the store's own way. */
export class Buckets extends pulumi.ComponentResource {
  readonly names: BucketNames;
  /** The bucket resources, to depend on. */
  readonly all: pulumi.Resource[];

  constructor(name: string, args: BucketsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:storage:Buckets", name, {}, opts);
    const { objectStore, prefixes } = args;
    const names = objectStore.bucketNames ?? ownBuckets;
    const declare = objectStore.declareBucket ?? ((bucket, opts) => own(objectStore, bucket, opts));
    this.names = names;
    this.all = bucketPurposes.map((purpose) =>
      declare(
        { purpose, bucket: names[purpose], prefixes: prefixes[purpose] },
        { parent: this, dependsOn: objectStore.ready },
      ),
    );
    this.registerOutputs({ names });
  }
}

/** A bucket of the stack's own store: all that is in it goes with it. */
function own(
  { data, marker }: ObjectStore,
  { bucket }: DeclaredBucket,
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource {
  const name = `bucket-${bucket}`;
  const current = generation(pulumi.getStack(), name, ({ lost }) => !lost);
  return step(
    name,
    { kind: "minio-bucket", spec: { bucket, store: marker, generation: current } },
    { ...opts, deletedWith: data },
  );
}
