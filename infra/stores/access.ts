import * as fs from "node:fs";
import { readCredentials } from "../stack/credentials";
import { UserError } from "../contracts/errors";
import type { Connection, BucketNames } from "../contracts/platform";
import { stackFiles } from "../stack/files";
import { minioRegion } from "../services";
import { readStepRecord } from "../stack/records";
import { assumeRole } from "./aws/assumeRole";
import { ownBuckets } from "../settings/checks";

/** The step that says how a store is reached that is not the stack's own. */
export const storeStep = "object-store";

/** What that step records; nothing secret. */
export interface StoreRecord {
  /** The kind of store. */
  readonly store: string;
  /** Marks as the stack's what it puts into the store. */
  readonly id: string;
  readonly endpoint: string;
  readonly region: string;
  readonly pathStyle: boolean;
  /** Hash of the certificates that are trusted for it, or null for the system's. */
  readonly certificates: string | null;
  /** On AWS, the role by which it is reached. */
  readonly role?: string;
  readonly buckets: BucketNames;
}

/** What is recorded of a store that is not the stack's own; undefined where there is none. */
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
  const { endpoint, region, pathStyle, certificates, role } = record;
  if (role !== undefined) {
    return {
      endpoint,
      region,
      pathStyle,
      ...assumeRole(role, region, `engine-comparison-${stack}`),
    };
  }
  const { s3AccessKey, s3SecretKey } = readCredentials(stack) ?? {};
  if (s3AccessKey === undefined || s3SecretKey === undefined) {
    throw new Error(`stack ${stack} has no keys for its object store`);
  }
  return {
    endpoint,
    region,
    pathStyle,
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
  };
}

/** The names of a standing stack's buckets. */
export function bucketNamesOf(stack: string): BucketNames {
  return storeRecord(stack)?.buckets ?? ownBuckets;
}
