import * as pulumi from "@pulumi/pulumi";
import { awsVersion } from "./names";

/** The types that this project declares, as @pulumi/aws names them. */
export type AwsType =
  | "aws:s3/bucket:Bucket"
  | "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
  | "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
  | "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
  | "aws:s3/bucketVersioning:BucketVersioning"
  | "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
  | "aws:s3/bucketPolicy:BucketPolicy"
  | "aws:iam/role:Role"
  | "aws:iam/rolePolicy:RolePolicy";

/**
 * A resource of the provider `aws`, registered with the type and version that the classes of
 * @pulumi/aws have. Those are 84 MB in `node_modules`, and with them there every `pulumi up` of any
 * stack would download the provider: docs/cluster.md.
 */
export class AwsResource extends pulumi.CustomResource {
  declare readonly arn: pulumi.Output<string>;

  constructor(
    type: AwsType,
    name: string,
    inputs: pulumi.Inputs,
    opts: pulumi.CustomResourceOptions,
  ) {
    super(type, name, { ...inputs, arn: undefined }, { ...opts, version: awsVersion });
  }
}

/** Who deploys, and where: what the provider is configured with, by the usual AWS chain. */
export interface Account {
  readonly id: string;
  /** `aws`, `aws-cn` or another part of AWS that has accounts of its own. */
  readonly partition: string;
  readonly region: string;
}

/** Asks the provider. */
export async function askAccount(): Promise<Account> {
  const ask = <Answer>(token: string) =>
    pulumi.runtime.invoke(token, {}, { version: awsVersion }) as Promise<Answer>;
  const { accountId, arn } = await ask<{ accountId: string; arn: string }>(
    "aws:index/getCallerIdentity:getCallerIdentity",
  );
  const { region } = await ask<{ region: string }>("aws:index/getRegion:getRegion");
  return { id: accountId, partition: arn.split(":")[1], region };
}
