import * as pulumi from "@pulumi/pulumi";
import { getCallerIdentity } from "@pulumi/aws/getCallerIdentity";
import { getRegion } from "@pulumi/aws/getRegion";
import type { Role } from "@pulumi/aws/iam/role";
import { RolePolicy } from "@pulumi/aws/iam/rolePolicy";
import { Bucket } from "@pulumi/aws/s3/bucket";
import { BucketLifecycleConfiguration } from "@pulumi/aws/s3/bucketLifecycleConfiguration";
import { BucketOwnershipControls } from "@pulumi/aws/s3/bucketOwnershipControls";
import { BucketPolicy } from "@pulumi/aws/s3/bucketPolicy";
import { BucketPublicAccessBlock } from "@pulumi/aws/s3/bucketPublicAccessBlock";
import { BucketServerSideEncryptionConfiguration } from "@pulumi/aws/s3/bucketServerSideEncryptionConfiguration";
import { step } from "../../stack/step";
import { pipelineAccess, tlsOnly, type Account } from "./account";

export async function askAccount(): Promise<Account> {
  const { accountId, arn } = await getCallerIdentity();
  const { region } = await getRegion();
  return { id: accountId, partition: arn.split(":")[1], region };
}

/** After so many days an upload that was not completed is removed. */
const abandonedDays = 7;

export interface AwsBucketArgs {
  /** The bucket's name, which nobody else in AWS may have. @example "me-lake-0123456789ab" */
  readonly bucket: string;
  /** What the pipelines put into it; keys begin with one of these. @example ["taxi/"] */
  readonly prefixes: readonly string[];
  /** The pipelines' role. @example new Role("pipelines", { assumeRolePolicy }) */
  readonly role: Role;
  /** Identity of the data: another one makes it anew. @example "aws 123456789012 eu-west-1 1" */
  readonly dataId: string;
  /** Where the bucket is. @example { id: "123456789012", partition: "aws", region: "eu-west-1" } */
  readonly account: Account;
  /** Tags of the bucket. @example { project: "engine-comparison", stack: "prod" } */
  readonly tags: Readonly<Record<string, string>>;
  /** Whether Pulumi refuses to delete the bucket. @default false @example true */
  readonly protect?: boolean;
}

/**
 * A private, encrypted bucket of S3, reached by TLS alone, and the pipelines' access to it.
 *
 * AWS refuses to delete it while anything is in it that the stack did not put there.
 */
export class AwsBucket extends pulumi.ComponentResource {
  constructor(name: string, args: AwsBucketArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:aws:Bucket", name, {}, opts);
    const { bucket, prefixes, role, dataId, account, tags, protect = false } = args;
    const made = new Bucket(name, { bucket, tags, forceDestroy: false }, { parent: this, protect });
    const part = { parent: this, dependsOn: made, deletedWith: made };
    const closed = new BucketPublicAccessBlock(
      `${name}-private`,
      {
        bucket,
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      },
      part,
    );
    new BucketOwnershipControls(
      `${name}-owned`,
      { bucket, rule: { objectOwnership: "BucketOwnerEnforced" } },
      part,
    );
    new BucketServerSideEncryptionConfiguration(
      `${name}-encrypted`,
      { bucket, rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }] },
      part,
    );
    new BucketLifecycleConfiguration(
      `${name}-tidied`,
      {
        bucket,
        rules: [
          {
            id: "abandoned-uploads",
            status: "Enabled",
            filter: { prefix: "" },
            abortIncompleteMultipartUpload: { daysAfterInitiation: abandonedDays },
          },
        ],
      },
      part,
    );
    new BucketPolicy(
      `${name}-tls-only`,
      { bucket, policy: JSON.stringify(tlsOnly(account, bucket)) },
      // AWS takes one change of a bucket's access at a time.
      { ...part, dependsOn: closed },
    );
    const access = new RolePolicy(
      `${name}-pipelines`,
      { role: role.id, policy: JSON.stringify(pipelineAccess(account, bucket, prefixes)) },
      { parent: this, dependsOn: made },
    );
    // Claims the bucket for this stack, and before the bucket goes, empties it of what is the stack's.
    step(
      `${name}-claim-${bucket}`,
      { kind: "s3-bucket", spec: { bucket, prefixes, store: dataId } },
      { parent: this, dependsOn: [made, closed, access] },
    );
    this.registerOutputs({ bucket });
  }
}
