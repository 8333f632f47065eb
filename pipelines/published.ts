import { text } from "node:stream/consumers";
import { explained, listObjects, removeObjects, storeClient } from "../infra/stores/client";

/**
 * Looks at what is published under a prefix, and removes all that its manifest does not name, as
 * `publish.py` does when an attempt begins.
 *
 * @param prefix of one engine's output of one workload, with a slash at its end
 * @returns the key of the published run; undefined where there is none
 */
export async function settlePublished(
  stack: string,
  bucket: string,
  prefix: string,
): Promise<string | undefined> {
  const client = storeClient(stack);
  return explained(async () => {
    const found = [...(await listObjects(client, bucket, prefix)).keys()];
    const name = `${prefix}_manifest.json`;
    const manifest = found.includes(name)
      ? (JSON.parse(await text(await client.getObject(bucket, name))) as Manifest)
      : undefined;
    const named = manifest?.files.map(({ path }) => prefix + path) ?? [];
    const kept = new Set([name, ...named]);
    const stray = found.filter((each) => !kept.has(each));
    if (stray.length > 0) await removeObjects(client, bucket, stray);
    return named.every((each) => found.includes(each)) ? manifest?.run : undefined;
  });
}

/** As `publish.py` writes it; paths are below the prefix. */
interface Manifest {
  readonly run: string;
  readonly files: readonly { readonly path: string }[];
}
