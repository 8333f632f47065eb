import * as fs from "node:fs";
import * as path from "node:path";
import { text } from "node:stream/consumers";
import { wrong, type UserError } from "../infra/contracts/errors";
import { datasetFolder } from "../infra/host/folders";
import { readStepRecord, recordLoss } from "../infra/stack/records";
import { bucketNamesOf, bucketRecord } from "../infra/stores/access";
import {
  explained,
  listAll,
  listingOf,
  listObjects,
  removeObjects,
  storeClient,
  type StoredObject,
} from "../infra/stores/client";
import type { ManifestEntry } from "../infra/stores/upload";
import { datasetOf } from "../results/catalog";
import type { RunResult } from "../results/result";
import { inspectionStep, makingStep, uploadStep } from "./places";

/** A dataset that runs read, and what the store has of it. */
export interface DataFacts {
  readonly dataset: string;
  readonly bucket: string;
  readonly bucketExists: boolean;
  readonly objects: ReadonlyMap<string, Pick<StoredObject, "size">>;
  /** The files that were uploaded; undefined where that is not known any more. */
  readonly manifest?: readonly Pick<ManifestEntry, "path" | "bytes">[];
  /** Of data that the stack did not put there: whether it is still what was recorded. */
  readonly existing?: "same" | "changed";
}

/**
 * Lists data that the stack did not put there. The first listing has only the dataset's own
 * prefixes, because where else images lie is known when they were inspected. While nothing has
 * changed since, the hash stays the first one.
 */
export async function existingListing<Seen extends { readonly hash: string }>(
  stack: string,
  dataset: string,
  list: (prefixes: readonly string[]) => Promise<Seen>,
): Promise<Seen> {
  const inspected = readStepRecord(stack, inspectionStep(dataset))?.result;
  const { prefixes = [] } = (inspected?.facts ?? {}) as { prefixes?: string[] };
  const listing = await list([...datasetOf(dataset).owns, ...prefixes]);
  return listing.hash === inspected?.seen
    ? { ...listing, hash: String(inspected.version) }
    : listing;
}

/**
 * Compares what the store has of a dataset with what was recorded. Objects that are lost are noted
 * in the record of their upload, so that the next deployment uploads them again.
 */
export async function dataFacts(stack: string, dataset: string): Promise<DataFacts> {
  const client = storeClient(stack);
  const { bucket: purpose, owns } = datasetOf(dataset);
  const bucket = bucketNamesOf(stack)[purpose];
  const { source, version } = readStepRecord(stack, makingStep(dataset))?.result ?? {};
  const manifest = path.join(datasetFolder(dataset, String(version)), "manifest.json");
  return explained(async () => {
    const bucketExists = await client.bucketExists(bucket);
    const objects = bucketExists ? await listAll(client, bucket, owns) : new Map<string, never>();
    const existing = () =>
      existingListing(stack, dataset, async (prefixes) =>
        listingOf(await listAll(client, bucket, prefixes)),
      );
    const facts: DataFacts = {
      ...{ dataset, bucket, bucketExists, objects },
      ...(source === "existing" && bucketExists
        ? { existing: (await existing()).hash === version ? "same" : "changed" }
        : fs.existsSync(manifest)
          ? { manifest: JSON.parse(fs.readFileSync(manifest, "utf8")) as ManifestEntry[] }
          : {}),
    };
    if (!bucketExists) recordLoss(stack, bucketRecord(bucket));
    if (problemOf(facts) !== undefined) recordLoss(stack, uploadStep(dataset));
    return facts;
  });
}

/** @throws UserError where the data that a run is about to read is not what was recorded */
export async function checkData(stack: string, dataset: string): Promise<void> {
  const [error] = missingData([await dataFacts(stack, dataset)], "the same command again");
  if (error) throw error;
}

/** @param command what the user runs to have the data again */
export function missingData(all: readonly DataFacts[], command: string): UserError[] {
  return all.flatMap((facts) => {
    const what = problemOf(facts);
    if (what === undefined) return [];
    return facts.existing === undefined
      ? wrong(
          what,
          "runs that read it fail (FileNotFoundError, NoSuchKey, NoSuchBucket)",
          `run ${command}: it uploads them again`,
        )
      : wrong(
          what,
          "every engine must read the same input",
          `put it back; or run ${command} when nobody writes there: runs then read what is there`,
        );
  });
}

function problemOf(facts: DataFacts): string | undefined {
  const { dataset, bucket, bucketExists, objects, manifest = [], existing } = facts;
  if (!bucketExists) return `bucket ${bucket} with the ${dataset} data is gone`;
  if (objects.size === 0) return `bucket ${bucket} has nothing of the ${dataset} data`;
  if (existing === "changed") {
    return `the ${dataset} data in bucket ${bucket} has changed since the program looked at it`;
  }
  const differing = manifest.filter(({ path, bytes }) => objects.get(path)?.size !== bytes);
  if (differing.length === 0) return undefined;
  return (
    `${differing.length} of ${manifest.length} files of the ${dataset} data are not in bucket ` +
    `${bucket} as they were uploaded, e.g. ${differing[0].path}`
  );
}

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
 * @returns the key of the published run; undefined without one, or not all of it
 */
export async function settlePublished(stack: string, bucket: string, prefix: string) {
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
