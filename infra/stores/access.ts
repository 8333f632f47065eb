import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { UserError } from "../contracts/errors";
import type { BucketNames, Connection } from "../contracts/platform";
import { toolEnvironment } from "../host/environment";
import { checkout } from "../host/folders";
import { minioRegion } from "../services";
import { ownBuckets } from "../settings/bucketNames";
import { readCredentials } from "../stack/credentials";
import { stackFiles } from "../stack/files";
import { readStepRecord } from "../stack/records";

/** The step that says how an external store is reached. */
export const storeStep = "object-store";

/** What that step records; nothing secret. */
export interface StoreRecord extends Pick<
  Connection["store"],
  "endpoint" | "region" | "pathStyle" | "bulkDelete" | "checksums"
> {
  readonly store: string;
  /** Hash of the certificates that are trusted for it, or null for the system's. */
  readonly certificates: string | null;
  /** On AWS, the role by which it is reached. */
  readonly role?: string;
  readonly buckets: BucketNames;
}

/** What is recorded of an external store; undefined where the stack has none. */
export function storeRecord(stack: string): StoreRecord | undefined {
  return readStepRecord(stack, storeStep)?.result as StoreRecord | undefined;
}

/**
 * How the stack's store is reached from this machine. Keys of AWS hold for an hour from now.
 *
 * @throws UserError where the stack has no store yet
 */
export function storeAccess(stack: string): Connection["store"] {
  const record = storeRecord(stack);
  if (!record) return minioAccess(stack);
  const { store: _store, buckets: _buckets, certificates, role, ...place } = record;
  const { region } = place;
  if (role !== undefined) {
    return { ...place, ...assumeRole(role, region, `engine-comparison-${stack}`) };
  }
  const { s3AccessKey, s3SecretKey } = readCredentials(stack) ?? {};
  if (s3AccessKey === undefined || s3SecretKey === undefined) {
    throw new Error(`stack ${stack} has no keys for its object store`);
  }
  return {
    ...place,
    accessKey: s3AccessKey,
    secretKey: s3SecretKey,
    ...(certificates === null
      ? {}
      : { caCertificates: fs.readFileSync(stackFiles(stack).storeCertificates, "utf8") }),
  };
}

/** The stack's own MinIO: a process of this machine, or a container with a published port. */
function minioAccess(stack: string): Connection["store"] {
  const service = readStepRecord(stack, "minio") ?? readStepRecord(stack, "minio-ready");
  const credentials = readCredentials(stack);
  if (!service || !credentials) {
    throw new UserError(
      `the object store of stack ${stack} is not running`,
      "all data is in it",
      "run npm start (or pulumi up) first",
    );
  }
  return {
    endpoint: String(service.result.endpoint),
    region: minioRegion,
    accessKey: credentials.minioRootUser,
    secretKey: credentials.minioRootPassword,
    pathStyle: true,
    metrics: "/minio/metrics/v3/api/requests",
  };
}

/** What records that the stack's own store has a bucket. */
export const bucketRecord = (bucket: string): string => `bucket-${bucket}`;

export function bucketNamesOf(stack: string): BucketNames {
  return storeRecord(stack)?.buckets ?? ownBuckets;
}

/** For how long keys of AWS hold: the maximum for those who have assumed a role already. */
export const sessionSeconds = 3600;

/**
 * Assumes the pipelines' role by the AWS CLI, which finds the user's own credentials by the usual
 * chain: variables, profiles, single sign-on, the machine's role. The keys come by a pipe.
 *
 * @throws UserError where there is no AWS CLI, or it is refused
 */
export function assumeRole(roleArn: string, region: string, session: string) {
  const done = spawnSync(
    "aws",
    [
      ...["sts", "assume-role", "--role-arn", roleArn, "--region", region],
      ...["--role-session-name", session.replace(/[^\w+=,.@-]/g, "-").slice(0, 64)],
      ...["--duration-seconds", String(sessionSeconds), "--output", "json"],
    ],
    { encoding: "utf8", env: { ...toolEnvironment("aws"), AWS_PAGER: "" } },
  );
  const refused = (why: string) =>
    new UserError(
      `the role ${roleArn} cannot be assumed: ${why}`,
      "the pipelines reach their buckets by it, and by no other keys",
      "see that the AWS CLI is installed, that `aws sts get-caller-identity` names who you are, and that you " +
        "may do sts:AssumeRole",
    );
  if (done.error) throw refused(done.error.message);
  if (done.status !== 0) throw refused(done.stderr.trim().split("\n").at(-1) ?? "");
  try {
    const { Credentials: keys } = JSON.parse(done.stdout) as {
      Credentials: { AccessKeyId: string; SecretAccessKey: string; SessionToken: string };
    };
    return {
      accessKey: keys.AccessKeyId,
      secretKey: keys.SecretAccessKey,
      sessionToken: keys.SessionToken,
    };
  } catch {
    throw refused("the AWS CLI gave no keys"); // whose output is never printed
  }
}

/**
 * Reads a PEM file of certificates, relative to the checkout or absolute.
 *
 * @returns the certificates alone, so that a key that lies in the same file goes nowhere
 * @throws UserError without one, or with one that cannot be read
 */
export function readCertificates(file: string): string {
  const wrong = (problem: string) =>
    new UserError(
      `s3CaCertificates is ${JSON.stringify(file)}: ${problem}`,
      "the object store's certificate is checked by it",
      "set it to a PEM file with the certificate of the authority that signed the store's",
    );
  let text: string;
  try {
    text = fs.readFileSync(path.resolve(checkout, file), "utf8");
  } catch (error) {
    throw wrong((error as Error).message);
  }
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw wrong("it has no certificate");
  for (const [at, block] of blocks.entries()) {
    try {
      new X509Certificate(block);
    } catch (error) {
      throw wrong(`certificate ${at + 1} is not valid (${(error as Error).message})`);
    }
  }
  return blocks.map((block) => `${block}\n`).join("");
}
