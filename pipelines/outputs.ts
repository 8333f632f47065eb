import { text } from "node:stream/consumers";
import { explained, listObjects, removeObjects, storeClient } from "../infra/stores/client";
import type { RunResult } from "../results/result";

/** As `publish.py` writes it; paths are below the prefix. */
interface Manifest {
  readonly run: string;
  readonly files: readonly { readonly path: string }[];
  /** Of the files, for those who read the prefix. */
  readonly copies: readonly string[];
  /** The files that were published before: who has just read that manifest can still read them. */
  readonly previous: readonly string[];
}

/**
 * Looks at what is published under a prefix, and removes all that its manifest does not name, as
 * `publish.py` does when an attempt begins.
 *
 * @param prefix of one engine's output of one workload, with a slash at its end
 * @returns the key of the published run; undefined where there is none, or not all of it
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
    const below = (paths: readonly string[]) => paths.map((path) => prefix + path);
    const { files = [], copies = [], previous = [] } = manifest ?? {};
    const named = below([...files.map(({ path }) => path), ...copies]);
    const kept = new Set([name, ...named, ...below(previous)]);
    const stray = found.filter((each) => !kept.has(each));
    if (stray.length > 0) await removeObjects(client, bucket, stray);
    return named.every((each) => found.includes(each)) ? manifest?.run : undefined;
  });
}

/** Puts a result beside the outputs, at `results/<engine>/<workload>/<attempt>.json`. */
export async function keepResult(stack: string, bucket: string, result: RunResult): Promise<void> {
  const client = storeClient(stack);
  const name = `results/${result.engine}/${result.workload}/${result.attempt}.json`;
  await explained(() => client.putObject(bucket, name, JSON.stringify(result)));
}
