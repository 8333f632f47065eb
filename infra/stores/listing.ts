import type { Client } from "minio";
import { shortHash } from "../stack/files";
import { listObjects } from "./client";

/** Objects that are in a store already, all together. */
export interface Listing {
  /** Hash of all names, sizes and ETags: it changes when any object does. */
  readonly hash: string;
  readonly files: number;
  readonly bytes: number;
}

/** Lists the objects that begin with one of the prefixes. */
export async function listingOf(
  client: Client,
  bucket: string,
  prefixes: readonly string[],
): Promise<Listing> {
  const lists = await Promise.all(prefixes.map((prefix) => listObjects(client, bucket, prefix)));
  const objects = lists
    .flatMap((list) => [...list].map(([name, { size, etag }]) => ({ name, size, etag })))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    hash: shortHash(objects),
    files: objects.length,
    bytes: objects.reduce((sum, { size }) => sum + size, 0),
  };
}
