import type { Client } from "minio";
import { UserError } from "../contracts/errors";
import { listAll, removeObjects } from "./client";
import { sha256Metadata, upload, type ManifestEntry } from "./upload";

export interface SyncResult {
  readonly files: number;
  readonly bytes: number;
  readonly uploaded: number;
  readonly removed: number;
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
): Promise<SyncResult> {
  const before = await listAll(client, bucket, owns);
  let uploaded = 0;
  await inParallel(manifest, async (entry) => {
    if (before.get(entry.path)?.size === entry.bytes && (await isEqual(client, bucket, entry)))
      return;
    await upload(client, bucket, folder, entry);
    uploaded += 1;
  });
  const removed = await removeUnlisted(client, bucket, before, manifest);
  await verify(client, bucket, manifest, owns);
  const bytes = manifest.reduce((sum, entry) => sum + entry.bytes, 0);
  return { files: manifest.length, bytes, uploaded, removed };
}

async function isEqual(client: Client, bucket: string, entry: ManifestEntry): Promise<boolean> {
  const { metaData } = await client.statObject(bucket, entry.path);
  return metaData[sha256Metadata] === entry.sha256;
}

async function removeUnlisted(
  client: Client,
  bucket: string,
  before: ReadonlyMap<string, unknown>,
  manifest: readonly ManifestEntry[],
): Promise<number> {
  const listed = new Set(manifest.map(({ path }) => path));
  const unlisted = [...before.keys()].filter((name) => !listed.has(name));
  if (unlisted.length > 0) await removeObjects(client, bucket, unlisted);
  return unlisted.length;
}

async function verify(
  client: Client,
  bucket: string,
  manifest: readonly ManifestEntry[],
  owns: readonly string[],
): Promise<void> {
  const after = await listAll(client, bucket, owns);
  const missing = manifest.filter(({ path, bytes }) => after.get(path)?.size !== bytes);
  if (missing.length > 0) {
    throw new UserError(
      `${missing.length} of ${manifest.length} objects did not arrive whole in ${bucket}, ` +
        `the first being ${missing[0]?.path}`,
      "every engine must read the same, known input",
      "run `npm start` again: what is there already is skipped",
    );
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const lane = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: parallel }, lane));
}
