import * as pulumi from "@pulumi/pulumi";
import { pipelineAccess, tlsOnly } from "./policies";
import { AwsResource, type Account, type AwsType } from "./provider";

/** After so many days an upload that was not completed, and a version that was replaced, is removed. */
const abandonedDays = 7;
const oldVersionDays = 30;

export interface AwsBucketArgs {
  readonly bucket: string;
  /** What the pipelines put into it; keys begin with one of these. */
  readonly prefixes: readonly string[];
  /** The pipelines' role. */
  readonly role: AwsResource;
  readonly account: Account;
  readonly tags: Readonly<Record<string, string>>;
  /** Whether Pulumi refuses to delete it, and what is in it. */
  readonly protect: boolean;
}

/** A private, encrypted bucket of S3, reached by TLS alone, and the pipelines' access to it. */
export class AwsBucket extends pulumi.ComponentResource {
  constructor(name: string, args: AwsBucketArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:aws:Bucket", name, {}, opts);
    const { bucket, prefixes, role, account, tags, protect } = args;
    const made = new AwsResource(
      "aws:s3/bucket:Bucket",
      name,
      { bucket, tags, forceDestroy: !protect },
      { parent: this, protect },
    );
    const part = (type: AwsType, suffix: string, inputs: pulumi.Inputs, after: pulumi.Resource) =>
      new AwsResource(
        type,
        `${name}-${suffix}`,
        { bucket, ...inputs },
        { parent: this, dependsOn: after, deletedWith: made },
      );
    const closed = part(
      "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
      "private",
      {
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      },
      made,
    );
    part(
      "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
      "owned",
      { rule: { objectOwnership: "BucketOwnerEnforced" } },
      made,
    );
    part(
      "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
      "encrypted",
      { rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }] },
      made,
    );
    const versioned = part(
      "aws:s3/bucketVersioning:BucketVersioning",
      "versioned",
      { versioningConfiguration: { status: "Enabled" } },
      made,
    );
    part(
      "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
      "tidied",
      {
        rules: [
          {
            id: "abandoned-uploads-and-old-versions",
            status: "Enabled",
            filter: { prefix: "" },
            abortIncompleteMultipartUpload: { daysAfterInitiation: abandonedDays },
            noncurrentVersionExpiration: { noncurrentDays: oldVersionDays },
            expiration: { expiredObjectDeleteMarker: true },
          },
        ],
      },
      versioned,
    );
    // After the block: AWS takes one change of a bucket's access at a time.
    part(
      "aws:s3/bucketPolicy:BucketPolicy",
      "tls-only",
      { policy: JSON.stringify(tlsOnly(account, bucket)) },
      closed,
    );
    new AwsResource(
      "aws:iam/rolePolicy:RolePolicy",
      `${name}-pipelines`,
      { role: role.id, policy: JSON.stringify(pipelineAccess(account, bucket, prefixes)) },
      { parent: this, dependsOn: made },
    );
    this.registerOutputs({ bucket });
  }
}
