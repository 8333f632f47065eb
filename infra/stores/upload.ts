import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { finished, pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client, S3Error } from "minio";
import pLimit from "p-limit";
import { UserError } from "../contracts/errors";
import { baseDelayMs, listAll, maxRetries, removeObjects, sendsChecksums } from "./client";

/** One file of a dataset: its key in the bucket, its size in bytes and its SHA-256 in hex. */
export interface ManifestEntry {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The metadata that says what an object was made from. */
const sha256Metadata = "sha256";

/** Bytes: S3 takes no more in one request. */
const largestPut = 5 * 2 ** 30;

/** Bytes: a file up to here is read at once, which is faster than by a stream. */
const small = 4 * 2 ** 20;

/** What a store says when the content is not what was announced. */
const otherContent = ["XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "BadDigest"];

/**
 * Uploads one file, with its SHA-256 as metadata.
 *
 * @param folder where the file is, at its manifest path
 * @throws UserError when it is not the file that the manifest lists; the store has not kept it
 */
export async function upload(client: Client, bucket: string, folder: string, entry: ManifestEntry) {
  const file = path.join(folder, entry.path);
  // Another size than announced would leave the store waiting, or break the next request.
  if (fs.statSync(file, { throwIfNoEntry: false })?.size !== entry.bytes) throw notListed(entry);
  const compared = client.enableSHA256 || sendsChecksums(client); // by the store
  await (entry.bytes <= largestPut && compared ? put : putCompared)(client, bucket, file, entry);
}

/**
 * In one request that announces the manifest's SHA-256. The store compares it with what arrives, so
 * nothing is hashed here: hashing was two thirds of this process's time.
 */
async function put(client: Client, bucket: string, file: string, entry: ManifestEntry) {
  const signed = client.enableSHA256; // over TLS the library signs no hash: a checksum is sent
  const checksum = Buffer.from(entry.sha256, "hex").toString("base64");
  const headers = {
    "content-length": String(entry.bytes),
    [`x-amz-meta-${sha256Metadata}`]: entry.sha256,
    ...(signed ? {} : { "x-amz-checksum-sha256": checksum }),
  };
  // A stream can be sent once: the library's second try would wait for more of it for ever.
  const once = Object.create(client, { retryOptions: { value: { disableRetry: true } } }) as Client;
  for (let tries = 1; ; tries++) {
    const body =
      entry.bytes <= small
        ? fs.readFileSync(file)
        : fs.createReadStream(file, { highWaterMark: 2 ** 20 });
    try {
      const answer = await once.makeRequestStreamAsync(
        { method: "PUT", bucketName: bucket, objectName: entry.path, headers },
        body,
        signed ? entry.sha256 : "",
        [200],
        "",
      );
      return void (await finished(answer.resume())); // then its connection is free for the next file
    } catch (error) {
      const { code = "", message } = error as S3Error;
      if (otherContent.includes(code)) throw notListed(entry);
      if (tries > maxRetries || !message.startsWith("Request failed after")) throw error;
      await sleep(baseDelayMs * 2 ** tries);
    }
  }
}

/**
 * A file of more than one request, or for a store that takes no checksum: the store gets no hash of the
 * whole, so the file is compared with its manifest here, before.
 */
async function putCompared(client: Client, bucket: string, file: string, entry: ManifestEntry) {
  const hash = createHash("sha256");
  await pipeline(fs.createReadStream(file), hash);
  if (hash.digest("hex") !== entry.sha256) throw notListed(entry);
  await client.fPutObject(bucket, entry.path, file, { [sha256Metadata]: entry.sha256 });
}

function notListed({ path }: ManifestEntry): UserError {
  return new UserError(
    `${path} is not the file that its manifest lists (size or SHA-256 differs)`,
    "every engine must read the same, known input",
    "run `npm run caches -- --clear` after all stacks are destroyed, then `npm start`",
  );
}

/** Files on their way at a time: with fewer, the store waits for this process. */
const parallel = 32;

/**
 * Makes the objects under the prefixes that a dataset owns equal to its manifest: uploads what
 * differs, skips what is equal (same size and recorded SHA-256), removes what is not listed, and
 * verifies the whole afterwards.
 *
 * @param folder where the files are, at their manifest paths
 * @param owns the prefixes, which hold all of the manifest's paths
 * @throws UserError when a local file is not what the manifest says, or the store did not keep it
 */
export async function sync(
  client: Client,
  bucket: string,
  folder: string,
  manifest: readonly ManifestEntry[],
  owns: readonly string[],
) {
  const before = await listAll(client, bucket, owns);
  let uploaded = 0;
  const limit = pLimit(parallel);
  const update = async (entry: ManifestEntry) => {
    if (before.get(entry.path)?.size === entry.bytes) {
      const { metaData } = await client.statObject(bucket, entry.path);
      if (metaData[sha256Metadata] === entry.sha256) return;
    }
    await upload(client, bucket, folder, entry);
    uploaded += 1;
  };
  await Promise.all(manifest.map((entry) => limit(update, entry)));
  const listed = new Set(manifest.map(({ path }) => path));
  const unlisted = [...before.keys()].filter((name) => !listed.has(name));
  await removeObjects(client, bucket, unlisted);
  const after = await listAll(client, bucket, owns);
  const missing = manifest.filter(({ path, bytes }) => after.get(path)?.size !== bytes);
  if (missing.length > 0) {
    throw new UserError(
      `${missing.length} of ${manifest.length} objects did not arrive whole in ${bucket}, ` +
        `the first being ${missing[0].path}`,
      "every engine must read the same, known input",
      "run `npm start` again: what is there already is skipped",
    );
  }
  const bytes = manifest.reduce((sum, entry) => sum + entry.bytes, 0);
  return { files: manifest.length, bytes, uploaded, removed: unlisted.length };
}
