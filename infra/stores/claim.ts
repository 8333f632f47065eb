import type { Client } from "minio";
import { UserError } from "../contracts/errors";
import { listObjects, removePrefix } from "./client";

/** The object by which a stack marks a bucket of a store that is not its own. */
export const claimKey = ".engine-comparison.json";

/** What a stack has in a bucket; nothing else in it is ever changed or removed. */
export interface Claim {
  /** Of the stack, random: names of stacks are not unique in a shared store. */
  readonly id: string;
  /** The stack's name, for people. */
  readonly stack: string;
  /** Whether the stack made the bucket, and so removes it when nothing else is in it. */
  readonly made: boolean;
  /** What belongs to the stack: all keys that begin with one of these. */
  readonly prefixes: readonly string[];
}

/** The claim on a bucket, or undefined where there is none, or no such bucket. */
export async function readClaim(client: Client, bucket: string): Promise<Claim | undefined> {
  if (!(await client.bucketExists(bucket))) return undefined;
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of await client.getObject(bucket, claimKey))
      chunks.push(chunk as Buffer);
    return JSON.parse(Buffer.concat(chunks).toString("utf8")) as Claim;
  } catch (error) {
    if ((error as { code?: string }).code === "NoSuchKey") return undefined;
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
  if (!exists) await client.makeBucket(bucket, region);
  const before = await readClaim(client, bucket);
  if (before) checkClaim(bucket, before, id);
  for (const prefix of prefixes) {
    if (!before?.prefixes.includes(prefix)) await checkEmpty(client, bucket, prefix);
  }
  const now: Claim = {
    id,
    stack,
    made: before?.made ?? !exists,
    prefixes: [...new Set([...(before?.prefixes ?? []), ...prefixes])].sort(),
  };
  await client.putObject(bucket, claimKey, JSON.stringify(now));
  return now;
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

/** Removes what the stack put into a bucket, and the bucket if it made it and nothing else is left. */
export async function releaseBucket(
  client: Client,
  bucket: string,
  id: string | undefined,
): Promise<void> {
  const claim = await readClaim(client, bucket);
  if (claim === undefined || claim.id !== id) return;
  for (const prefix of claim.prefixes) await removePrefix(client, bucket, prefix);
  await client.removeObject(bucket, claimKey);
  if (!claim.made || (await listObjects(client, bucket, "")).size > 0) return;
  await client.removeBucket(bucket);
}
