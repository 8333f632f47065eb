import { randomBytes } from "node:crypto";
import * as http from "node:http";
import * as https from "node:https";
import { finished } from "node:stream/promises";
import { Client } from "minio";
import pLimit from "p-limit";
import { shortHash } from "../stack/files";
import type { Connection } from "../contracts/platform";
import { storeAccess } from "./access";
import { UserError } from "../contracts/errors";

/** An S3 client for the store of `stack`, as seen from this machine. */
export function storeClient(stack: string): Client {
  return clientOf(storeAccess(stack));
}

const stores = new WeakMap<Client, Connection["store"]>();

/** Whether the store of a client does not have a part of S3. */
const lacks = (client: Client, part: "bulkDelete" | "checksums") =>
  stores.get(client)?.[part] === false;

export const sendsChecksums = (client: Client) => !lacks(client, "checksums");

/** How often what a store refuses for now (SlowDown) is tried again, and how long at first after that. */
export const maxRetries = 4;
export const baseDelayMs = 200;

export function clientOf(store: Connection["store"]): Client {
  const url = new URL(store.endpoint);
  // Its own agent: Node's may ask a proxy (NODE_USE_ENV_PROXY).
  const agent =
    url.protocol === "https:"
      ? new https.Agent({ ca: store.caCertificates, keepAlive: true })
      : new http.Agent({ keepAlive: true });
  const client = new Client({
    endPoint: url.hostname.replace(/^\[|\]$/g, ""), // of an address of IPv6
    port: Number(url.port || (url.protocol === "https:" ? 443 : 80)),
    useSSL: url.protocol === "https:",
    accessKey: store.accessKey,
    secretKey: store.secretKey,
    region: store.region,
    pathStyle: store.pathStyle,
    ...(store.sessionToken === undefined ? {} : { sessionToken: store.sessionToken }),
    transportAgent: agent,
    retryOptions: { maximumRetryCount: maxRetries, baseDelayMs },
  });
  stores.set(client, store);
  return client;
}

/** What a user can do about codes that Node or a store answers with: problem, reason, fix. */
const explanations: readonly (readonly [RegExp, (said: string) => string, string, string])[] = [
  [
    /^(InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied)$/,
    (said) => `the object store refused the credentials (${said})`,
    "nothing can be read from or written to it",
    "check minioRootUser and minioRootPassword (if another server has the port, set portOffset), " +
      "or s3AccessKey and s3SecretKey and what they allow",
  ],
  [
    /^(ERR_TLS_CERT_|CERT_|SELF_SIGNED_CERT|DEPTH_ZERO_|UNABLE_TO_(GET_ISSUER|VERIFY))/,
    (said) => `the object store's certificate is not trusted (${said})`,
    "whoever sits between could read and change all data",
    "set s3CaCertificates to a PEM file with the authority that signed it, and s3Endpoint to " +
      "a name that is in it",
  ],
  [
    /^(ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTFOUND)$/,
    (said) => `the object store does not answer (${said.split(":")[0]})`,
    "all data lives in it",
    "look at `npm run status` and `npm run logs -- minio`, then run `npm start` again",
  ],
  [
    /^(MovedPermanently|(Permanent|Temporary)Redirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException)$/,
    (said) => `the object store has the bucket elsewhere (${said})`,
    "requests go to s3Endpoint and are signed for s3Region, and none is sent on to another place",
    "set s3Region to the bucket's region, and s3Endpoint to the store's address there",
  ],
  [
    /^SlowDown$/,
    (said) => `the object store is asked too often, or is not ready (${said})`,
    "it still answered so at the last of several tries",
    "wait, then run the same command again: what is there already is skipped",
  ],
  [
    /^NotS3$/,
    (said) => `what answers at the object store's address does not speak S3 here (${said})`,
    "it may be a proxy, a page, a store with a fault, or one that sends on to https or another region",
    "check s3Endpoint and s3Region",
  ],
  [
    /^XMinioStorageFull$/,
    (said) => `the object store has no room left (${said})`,
    "it takes no more objects; what it has is as it was",
    "make room on the disk of the stack folder, then run the same command again",
  ],
];

/** What the library says of answers that have no code of S3. */
const otherAnswers: readonly (readonly [RegExp, string])[] = [
  [/^Request failed after .*status: (429|503)$/, "SlowDown"],
  [/^(Request failed after .*|MethodNotAllowed|Missing tag: .*|)$/, "NotS3"],
];

/**
 * Runs `work` and tells what a user can do about the failures that a store answers with.
 *
 * @throws UserError for refused credentials, a store that does not answer or one that is full
 */
export async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code: said, message } = error as { code?: string; message: string };
    const code = said || (otherAnswers.find(([sign]) => sign.test(message))?.[1] ?? "");
    const known = explanations.find(([sign]) => sign.test(code));
    if (!known) throw error;
    const [, what, why, fix] = known;
    throw new UserError(what(`${code}: ${message}`), why, fix);
  }
}

/** An object as a listing has it; its size is in bytes. */
export interface StoredObject {
  readonly size: number;
  readonly etag: string;
}

export async function listObjects(client: Client, bucket: string, prefix: string) {
  const found = new Map<string, StoredObject>();
  for await (const item of client.listObjectsV2(bucket, prefix, true)) {
    const { name, size, etag } = item as { name?: string; size: number; etag: string };
    if (name !== undefined) found.set(name, { size, etag });
  }
  return found;
}

export async function listAll(client: Client, bucket: string, prefixes: readonly string[]) {
  const lists = await Promise.all(prefixes.map((prefix) => listObjects(client, bucket, prefix)));
  return new Map(lists.flatMap((list) => [...list]));
}

/**
 * Objects that are in a store already, all together.
 *
 * @returns `hash` of all names, sizes and ETags: it changes when any object does
 */
export function listingOf(objects: ReadonlyMap<string, StoredObject>) {
  const sorted = [...objects]
    .map(([name, { size, etag }]) => ({ name, size, etag }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    hash: shortHash(sorted),
    files: sorted.length,
    bytes: sorted.reduce((sum, { size }) => sum + size, 0),
  };
}

/**
 * Removes every object under `prefix`; a bucket that does not exist has none.
 *
 * @throws UserError as {@link removeObjects}
 */
export async function removePrefix(client: Client, bucket: string, prefix: string) {
  if (!(await client.bucketExists(bucket))) return 0;
  const names = [...(await listObjects(client, bucket, prefix)).keys()];
  await removeObjects(client, bucket, names);
  return names.length;
}

/**
 * Removes objects by name. A store answers a bulk delete with 200 also where it refuses some.
 *
 * @throws UserError that names the first object that the store did not delete, and why
 */
export async function removeObjects(client: Client, bucket: string, names: readonly string[]) {
  if (lacks(client, "bulkDelete")) return removeEach(client, bucket, names);
  const answers = await client.removeObjects(bucket, [...names]);
  // The library's type nests what its parser returns flat.
  const errors = answers.map((answer) => (answer?.Error ?? answer ?? {}) as DeleteError);
  const refused = errors.filter(({ Code }) => Code !== undefined && Code !== "NoSuchKey");
  if (refused.length > 0) throw notDeleted(bucket, refused);
}

function notDeleted(bucket: string, refused: readonly DeleteError[]): UserError {
  const [first] = refused;
  return new UserError(
    `the object store did not delete ${first.Key} in bucket ${bucket} (${first.Code}: ${first.Message})` +
      (refused.length > 1 ? `, nor ${refused.length - 1} others` : ""),
    "what stays there would be read as input, or be left behind",
    "allow s3:DeleteObject for the key, or end the object's lock, then run the same command again",
  );
}

const parallel = 32;

async function removeEach(client: Client, bucket: string, names: readonly string[]): Promise<void> {
  const limit = pLimit(parallel);
  const remove = async (name: string) => {
    try {
      await client.removeObject(bucket, name);
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      throw notDeleted(bucket, [{ Key: name, Code: code, Message: message }]);
    }
  };
  await Promise.all(names.map((name) => limit(remove, name)));
}

/**
 * Tries the parts of S3 that not every store has, with an object that is gone afterwards.
 *
 * @param prefix where the stack may write
 * @throws UserError that names the part, what it means to be without, and the setting
 */
export async function probeParts(client: Client, bucket: string, prefix: string): Promise<void> {
  const objectName = `${prefix}.probe-${randomBytes(8).toString("hex")}`;
  // Of no bytes.
  const headers = {
    "x-amz-checksum-sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    "content-length": "0",
  };
  const lacking = (what: string, why: string, fix: string) => (error: unknown) => {
    const { code = "", message } = error as { code?: string; message: string };
    if (!isUnknownRequest.test(code)) throw error;
    throw new UserError(`the object store ${what} (${code}: ${message})`, why, fix);
  };
  if (sendsChecksums(client)) {
    const noChecksums = lacking(
      "takes no checksums in headers",
      "uploads, and writes of some engines, send them",
      "set s3Checksums to false: uploads are then compared with their manifest on this side alone",
    );
    await client
      .makeRequestAsync({ method: "PUT", bucketName: bucket, objectName, headers }, "")
      .then((answer) => finished(answer.resume()))
      .catch(noChecksums);
  }
  if (!lacks(client, "bulkDelete")) {
    const noBulkDelete = lacking(
      "does not delete many objects by one request",
      "the outputs of earlier attempts, and a destroy, are deleted so",
      "set s3BulkDelete to false: objects are then deleted one by one, which takes longer",
    );
    await client.removeObjects(bucket, [objectName]).catch(noBulkDelete);
  }
  if (sendsChecksums(client)) await client.removeObject(bucket, objectName);
}

/** What stores say of a request or header that they do not know; of a refusal, another thing. */
const isUnknownRequest =
  /NotImplemented|NotSupported|Unsupported|MethodNotAllowed|Invalid(Request|Argument)|MissingContentMD5|BadRequest|^\d*$|UnknownError/i;

type DeleteError = Partial<Record<"Key" | "Code" | "Message", string>>;
