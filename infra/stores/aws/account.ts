import { hash } from "node:crypto";
import { bucketPurposes, type BucketNames } from "../../contracts/platform";
import { ownBuckets } from "../../settings/bucketNames";
import { claimKey } from "../claim";

/** Who deploys, and where: what the provider is configured with, by the usual AWS chain. */
export interface Account {
  readonly id: string;
  /** `aws`, `aws-cn` or another part of AWS that has accounts of its own. */
  readonly partition: string;
  readonly region: string;
}

const maxName = 63;

/**
 * Names for buckets that nobody else has: names are unique in all of AWS. They are known before the
 * buckets are, because datasets and so run keys follow from them. The stack's id is not in them: it is
 * in no run key, and unknown in a first preview.
 *
 * @param prefix what they begin with, in place of the project's and the stack's name
 * @param named whole names, which are taken as they are
 */
export function awsBucketNames(
  stack: string,
  { id, partition, region }: Account,
  prefix: string | undefined,
  named: Partial<BucketNames>,
): BucketNames {
  const unique = hash("sha256", [partition, id, region, stack].join("\0")).slice(0, 12);
  const start = prefix ?? `engine-comparison-${plain(stack)}-`;
  const name = (purpose: keyof BucketNames) => {
    const end = `${ownBuckets[purpose]}-${unique}`;
    const room = start.slice(0, maxName - end.length - 1).replace(/[.-]+$/, "");
    return `${room}-${end}`;
  };
  const made = Object.fromEntries(bucketPurposes.map((purpose) => [purpose, name(purpose)]));
  return { ...(made as BucketNames), ...named };
}

/** A stack's name in the characters that a bucket's may have. */
function plain(stack: string): string {
  return stack
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}

/** A statement of an IAM policy, as far as it is used here. */
export interface Statement {
  readonly Sid: string;
  readonly Effect: "Allow" | "Deny";
  readonly Principal?: "*" | { readonly AWS: string };
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

function policy(...statements: readonly Statement[]) {
  return { Version: "2012-10-17", Statement: statements };
}

export function bucketArn({ partition }: Pick<Account, "partition">, bucket: string): string {
  return `arn:${partition}:s3:::${bucket}`;
}

/** Refuses whoever comes without TLS, whatever else allows them. */
export function tlsOnly(account: Pick<Account, "partition">, bucket: string) {
  const arn = bucketArn(account, bucket);
  return policy({
    Sid: "TlsOnly",
    Effect: "Deny",
    Principal: "*",
    Action: "s3:*",
    Resource: [arn, `${arn}/*`],
    Condition: { Bool: { "aws:SecureTransport": "false" } },
  });
}

/**
 * What the pipelines may do with a bucket: look into it, and read, write and remove what the stack
 * puts there and its claim. Nothing about the bucket itself, and nothing else in the account.
 *
 * @param prefixes what the stack puts into it
 */
export function pipelineAccess(
  account: Pick<Account, "partition">,
  bucket: string,
  prefixes: readonly string[],
) {
  const arn = bucketArn(account, bucket);
  return policy(
    {
      Sid: "Look",
      Effect: "Allow",
      Action: ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
      Resource: arn,
    },
    {
      Sid: "OwnObjects",
      Effect: "Allow",
      Action: [
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
      ],
      Resource: [`${arn}/${claimKey}`, ...prefixes.map((prefix) => `${arn}/${prefix}*`)],
    },
    {
      // Before pyarrow writes into a folder, as for Ray, it asks whether its name is an object.
      Sid: "FolderNames",
      Effect: "Allow",
      Action: "s3:GetObject",
      Resource: prefixes.map((prefix) => `${arn}/${folderName(prefix)}`),
    },
  );
}

/** `taxi` for `taxi/`. */
export function folderName(prefix: string): string {
  return prefix.replace(/\/$/, "");
}

/** Lets the account's own users and roles take the role, as far as they are allowed to take roles. */
export function takenByAccount({ id, partition }: Pick<Account, "id" | "partition">) {
  return policy({
    Sid: "OwnAccount",
    Effect: "Allow",
    Principal: { AWS: `arn:${partition}:iam::${id}:root` },
    Action: "sts:AssumeRole",
  });
}
