import { Role } from "@pulumi/aws/iam/role";
import { getBucket } from "@pulumi/aws/s3/getBucket";
import * as pulumi from "@pulumi/pulumi";
import { runnerVariable } from "../../stack/claim";
import { keepPlace } from "../../stack/owner";
import type { BucketNames, DeclaredBucket, ObjectStore } from "../../contracts/platform";
import type { Settings } from "../../settings/schema";
import { generation } from "../../stack/records";
import { step } from "../../stack/step";
import { UserError } from "../../contracts/errors";
import { storeStep } from "../access";
import { awsBucketNames, takenByAccount, type Account } from "./account";
import { askAccount, AwsBucket } from "./bucket";

/** A stack's buckets cannot be moved to another account or region. */
const placeOf = ({ id, region }: Account) => ({ account: id, region });

/** What was found out about the account before anything is declared. */
type SeenAccount = Awaited<ReturnType<typeof lookAtAccount>>;

/**
 * Asks AWS who deploys, and where; writes nothing.
 *
 * @param id the stack's id; undefined before its first up, when no bucket can be its own
 * @throws UserError where the program cannot talk to AWS, or a bucket is there already
 */
export async function lookAtAccount(settings: Settings, stack: string, id: string | undefined) {
  if (process.env[runnerVariable] === "embedded") {
    throw new UserError(
      'objectStore is "aws", and this is the embedded runner',
      "AWS is declared by its Pulumi provider, which only the Pulumi CLI runs",
      "install the Pulumi CLI (https://www.pulumi.com/docs/install/), or set objectStore to s3",
    );
  }
  const account = await askAccount();
  keepPlace(stack, placeOf(account));
  const buckets = awsBucketNames(stack, account, settings.bucketPrefix, settings.bucketNames);
  if (id === undefined) await checkFree(Object.values(buckets), account);
  return { account, buckets, generation: generation(stack, storeStep, () => true) };
}

/**
 * In us-east-1 AWS lets an account make a bucket once more that it has already
 * (https://github.com/hashicorp/terraform-provider-aws/issues/13587).
 */
async function checkFree(buckets: readonly string[], { id }: Account): Promise<void> {
  // What is not known of a bucket is seen when it is made.
  const has = (bucket: string) =>
    getBucket({ bucket })
      .then(() => [bucket])
      .catch(() => []);
  const taken = (await Promise.all(buckets.map(has))).flat().join(", ");
  if (taken === "") return;
  throw new UserError(
    `account ${id} has ${taken} already, and this stack is new`,
    "the stack would take over what another stack or somebody else has made, and delete it in the end",
    "deploy the stack that has them, from its own checkout; or set bucketPrefix to another name",
  );
}

export interface AwsStoreArgs {
  /** Tags and protection of buckets. @example { awsTags: { team: "data" }, awsProtect: true } */
  readonly settings: Pick<Settings, "awsTags" | "awsProtect">;
  /** The stack's name, for tags. @example "prod" */
  readonly stack: string;
  /** What was seen of the account. @example await lookAtAccount(settings, stack, id) */
  readonly seen: SeenAccount;
}

/** S3 of AWS: the stack's own buckets, and the role by which its pipelines use them. */
export class AwsStore extends pulumi.ComponentResource implements ObjectStore {
  readonly endpoint: string;
  readonly consoleUrl: string;
  readonly dataId: string;
  readonly ready: pulumi.Resource;
  readonly bucketNames: BucketNames;
  private readonly role: Role;
  private readonly tags: Readonly<Record<string, string>>;

  constructor(
    name: string,
    private readonly args: AwsStoreArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("engine-comparison:aws:Store", name, {}, opts);
    const { settings, stack, seen } = args;
    const { account, buckets, generation } = seen;
    const { region, partition } = account;
    if (!pulumi.runtime.isDryRun()) keepPlace(stack, placeOf(account), true);
    this.tags = { project: "engine-comparison", stack, ...settings.awsTags };
    this.endpoint = `https://s3.${region}.amazonaws.com${partition === "aws-cn" ? ".cn" : ""}`;
    this.consoleUrl = `https://console.aws.amazon.com/s3/buckets?region=${region}`;
    this.dataId = `aws ${account.id} ${region} ${generation}`;
    this.bucketNames = buckets;
    this.role = new Role(
      `${name}-pipelines`,
      { assumeRolePolicy: JSON.stringify(takenByAccount(account)), tags: this.tags },
      { parent: this },
    );
    this.ready = step(
      name,
      {
        kind: "aws-store",
        record: storeStep,
        spec: { endpoint: this.endpoint, region, role: this.role.arn, buckets, generation },
      },
      { parent: this },
    );
    this.registerOutputs({ endpoint: this.endpoint, buckets });
  }

  declareBucket = (
    owner: string,
    { purpose, bucket, prefixes }: DeclaredBucket,
    opts: pulumi.ComponentResourceOptions,
  ): pulumi.Resource => {
    const { role, tags, dataId } = this;
    const { settings, seen } = this.args;
    const protect = settings.awsProtect;
    return new AwsBucket(
      `${owner}-${purpose}`,
      { bucket, prefixes, role, dataId, account: seen.account, tags, protect },
      opts,
    );
  };
}
