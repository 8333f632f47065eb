import type { Account } from "./provider";

/** A statement of an IAM policy, as far as it is used here. */
export interface Statement {
  readonly Sid: string;
  readonly Effect: "Allow" | "Deny";
  readonly Principal?: "*" | { readonly AWS: string };
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface Policy {
  readonly Version: "2012-10-17";
  readonly Statement: readonly Statement[];
}

function policy(...statements: Statement[]): Policy {
  return { Version: "2012-10-17", Statement: statements };
}

export function bucketArn({ partition }: Pick<Account, "partition">, bucket: string): string {
  return `arn:${partition}:s3:::${bucket}`;
}

/** Refuses whoever comes without TLS, whatever else allows them. */
export function tlsOnly(account: Pick<Account, "partition">, bucket: string): Policy {
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
 * puts there. Nothing about the bucket itself, and nothing else in the account.
 *
 * @param prefixes what the stack puts into it
 */
export function pipelineAccess(
  account: Pick<Account, "partition">,
  bucket: string,
  prefixes: readonly string[],
): Policy {
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
      Resource: prefixes.map((prefix) => `${arn}/${prefix}*`),
    },
  );
}

/** Lets the account's own users and roles take the role, as far as they are allowed to take roles. */
export function takenByAccount({ id, partition }: Pick<Account, "id" | "partition">): Policy {
  return policy({
    Sid: "OwnAccount",
    Effect: "Allow",
    Principal: { AWS: `arn:${partition}:iam::${id}:root` },
    Action: "sts:AssumeRole",
  });
}
