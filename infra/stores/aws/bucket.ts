import * as pulumi from "@pulumi/pulumi";
import { awsVersion, pipelineAccess, tlsOnly, type Account } from "./account";

/** What a bucket is made of, each a type of @pulumi/aws. */
type BucketPart =
  | "BucketPublicAccessBlock"
  | "BucketOwnershipControls"
  | "BucketServerSideEncryptionConfiguration"
  | "BucketVersioning"
  | "BucketLifecycleConfiguration"
  | "BucketPolicy";

/**
 * A resource of the provider `aws`, registered with the type and version that the classes of
 * @pulumi/aws have. Those are 84 MB in `node_modules`, and with them there every `pulumi up` of any
 * stack would download the provider: docs/cluster.md.
 */
export class AwsResource extends pulumi.CustomResource {
  declare readonly arn: pulumi.Output<string>;

  constructor(
    type: `aws:${string}/${string}:${string}`,
    name: string,
    inputs: pulumi.Inputs,
    opts: pulumi.CustomResourceOptions,
  ) {
    super(type, name, { ...inputs, arn: undefined }, { ...opts, version: awsVersion });
  }
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
    const part = (
      type: BucketPart,
      suffix: string,
      inputs: pulumi.Inputs,
      after: pulumi.Resource = made,
    ) =>
      new AwsResource(
        `aws:s3/${type[0].toLowerCase()}${type.slice(1)}:${type}`,
        `${name}-${suffix}`,
        { bucket, ...inputs },
        { parent: this, dependsOn: after, deletedWith: made },
      );
    const closed = part("BucketPublicAccessBlock", "private", {
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
    part("BucketOwnershipControls", "owned", { rule: { objectOwnership: "BucketOwnerEnforced" } });
    part("BucketServerSideEncryptionConfiguration", "encrypted", {
      rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }],
    });
    const versioned = part("BucketVersioning", "versioned", {
      versioningConfiguration: { status: "Enabled" },
    });
    const tidied = {
      id: "abandoned-uploads-and-old-versions",
      status: "Enabled",
      filter: { prefix: "" },
      abortIncompleteMultipartUpload: { daysAfterInitiation: abandonedDays },
      noncurrentVersionExpiration: { noncurrentDays: oldVersionDays },
      expiration: { expiredObjectDeleteMarker: true },
    };
    part("BucketLifecycleConfiguration", "tidied", { rules: [tidied] }, versioned);
    // After the block: AWS takes one change of a bucket's access at a time.
    const policy = JSON.stringify(tlsOnly(account, bucket));
    part("BucketPolicy", "tls-only", { policy }, closed);
    new AwsResource(
      "aws:iam/rolePolicy:RolePolicy",
      `${name}-pipelines`,
      { role: role.id, policy: JSON.stringify(pipelineAccess(account, bucket, prefixes)) },
      { parent: this, dependsOn: made },
    );
    this.registerOutputs({ bucket });
  }
}
