import { text } from "node:stream/consumers";
import { finished } from "node:stream/promises";
import type { Client } from "minio";
import { readJson, stackFiles, writeJson } from "../stack/files";
import { UserError } from "../contracts/errors";
import { listObjects, removePrefix } from "./client";

/** The object by which a stack marks a bucket of a store that is not its own. */
export const claimKey = ".engine-comparison.json";

/** What a stack has in a bucket; nothing else in it is ever changed or removed. */
export interface Claim {
  /** Of the stack, random: names of stacks are not unique in a shared store. */
  readonly id: string;
  readonly stack: string;
  /** Whether the stack made the bucket, and so removes it when nothing else is in it. */
  readonly made: boolean;
  /** What belongs to the stack: all keys that begin with one of these. */
  readonly prefixes: readonly string[];
}

/**
 * The claim on a bucket, or undefined without one, or no such bucket.
 *
 * @param onlyReader for somebody who may read the data alone: a claim that is not to be seen is none
 */
export async function readClaim(client: Client, bucket: string, onlyReader = false) {
  if (!(await client.bucketExists(bucket))) return undefined;
  try {
    return JSON.parse(await text(await client.getObject(bucket, claimKey))) as Claim;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "NoSuchKey" || (onlyReader && code === "AccessDenied")) return undefined;
    throw error;
  }
}

/**
 * Takes a bucket, made if it is not there, and the prefixes in it, which nobody else may have used.
 * What it has taken before stays its own, so it can be called again.
 *
 * @throws UserError where another stack or somebody's objects are there
 */
export async function claimBucket(
  client: Client,
  bucket: string,
  region: string,
  { id, stack, prefixes }: Omit<Claim, "made">,
): Promise<Claim> {
  const exists = await client.bucketExists(bucket);
  if (!exists) {
    rememberMaking(stack, bucket, true);
    await client.makeBucket(bucket, region);
  }
  const before = await readClaim(client, bucket);
  if (before) checkClaim(bucket, before, id);
  // An earlier attempt may have been interrupted between the bucket and its claim.
  const made = before?.made ?? (!exists || beingMade(stack).includes(bucket));
  for (const prefix of prefixes) {
    if (!before?.prefixes.includes(prefix)) await checkEmpty(client, bucket, prefix);
  }
  const all = new Set([...(before?.prefixes ?? []), ...prefixes]);
  const now: Claim = { id, stack, made, prefixes: [...all].sort() };
  if (before) await client.putObject(bucket, claimKey, JSON.stringify(now));
  else await putFirst(client, bucket, JSON.stringify(now));
  // A store that does not know the condition lets the last one win.
  const kept = await readClaim(client, bucket);
  if (kept) checkClaim(bucket, kept, id);
  rememberMaking(stack, bucket, false);
  return now;
}

/** Writes the first claim; of two stacks that do at once, the store takes one. */
async function putFirst(client: Client, bucket: string, content: string): Promise<void> {
  const headers = { "if-none-match": "*", "content-type": "application/json" };
  try {
    const answer = await client.makeRequestAsync(
      { method: "PUT", bucketName: bucket, objectName: claimKey, headers },
      content,
    );
    await finished(answer.resume());
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== "PreconditionFailed" && code !== "ConditionalRequestConflict") throw error;
  }
}

/** Buckets that the stack was about to make or to remove: without a claim, only this says whose they are. */
function beingMade(stack: string): readonly string[] {
  return readJson<string[]>(stackFiles(stack).buckets) ?? [];
}

function rememberMaking(stack: string, bucket: string, making: boolean): void {
  const others = beingMade(stack).filter((other) => other !== bucket);
  if (!making && others.length === beingMade(stack).length) return;
  writeJson(stackFiles(stack).buckets, making ? [...others, bucket] : others);
}

/** @throws UserError where the claim is another stack's */
export function checkClaim(bucket: string, claim: Claim, id: string | undefined): void {
  if (claim.id === id) return;
  throw new UserError(
    `bucket ${bucket} is in use by stack ${claim.stack}`,
    "two stacks would remove each other's data",
    "set bucketPrefix or bucketNames to other buckets; if that stack is no more, remove the object " +
      `${claimKey} and what it lists`,
  );
}

async function checkEmpty(client: Client, bucket: string, prefix: string): Promise<void> {
  const [found] = (await listObjects(client, bucket, prefix)).keys();
  if (found === undefined) return;
  throw new UserError(
    `bucket ${bucket} has ${found} already, and the stack would put its own things at ${prefix}`,
    "what is not listed there is removed, and a destroy removes all of it",
    "set bucketPrefix or bucketNames to buckets that have nothing there",
  );
}

/**
 * Removes what the stack put into a bucket, and the bucket if it made it and nothing else is left.
 *
 * @throws UserError where the store does not delete an object
 */
export async function releaseBucket(
  client: Client,
  bucket: string,
  { id, stack }: Pick<Claim, "id" | "stack">,
): Promise<void> {
  const claim = await readClaim(client, bucket);
  const making = beingMade(stack).includes(bucket);
  if (claim === undefined ? !making : claim.id !== id) return;
  for (const prefix of claim?.prefixes ?? []) await removePrefix(client, bucket, prefix);
  // Without its claim, only this says that the bucket is the stack's, should its removal fail.
  if (claim?.made) rememberMaking(stack, bucket, true);
  if (claim) await client.removeObject(bucket, claimKey);
  if ((claim?.made ?? making) && (await client.bucketExists(bucket))) {
    if ((await listObjects(client, bucket, "")).size === 0) await client.removeBucket(bucket);
  }
  rememberMaking(stack, bucket, false);
}

/** Removes the buckets whose making was interrupted before they were claimed, and so declared. */
export async function releaseUnclaimed(client: Client, stack: string): Promise<void> {
  for (const bucket of beingMade(stack)) await releaseBucket(client, bucket, { id: "", stack });
}
