import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { tryLock, type Release } from "../../embedded/fileLock";
import { cacheFolder, namesIn, stackFolder } from "../host/folders";
import { readJson, stackFiles, writeJson, writeWhole } from "../stack/files";
import { stackId } from "../stack/owner";
import { UserError } from "../contracts/errors";
import { buildFolders, type BuildLog } from "./builds";

/**
 * An entry of the cache, `<kind>/<key>`, where the key is a hash of all that the content depends
 * on: two stacks with the same locks share it, and nothing in it is ever changed.
 */
export type Entry = `${string}/${string}`;

const complete = ".complete";

export function entryFolder(entry: Entry): string {
  return path.join(cacheFolder(), entry);
}

/** Whether the entry was made to its end. */
export function isComplete(entry: Entry): boolean {
  return fs.existsSync(path.join(entryFolder(entry), complete));
}

/** What a build is given. */
export interface Build {
  /** Empty, and the entry's final place, because a Python environment cannot be moved. */
  readonly folder: string;
  readonly log: BuildLog;
}

/**
 * Makes an entry unless it is there: under a lock that every stack of this user shares, and again
 * from the beginning where an earlier attempt did not come to its end.
 *
 * @param usable whether a whole entry is of use still; made again where it is not. @default always
 */
export async function ensureEntry(
  entry: Entry,
  log: BuildLog,
  build: (build: Build) => Promise<void>,
  usable: (folder: string) => boolean = () => true,
): Promise<string> {
  const folder = entryFolder(entry);
  const isMade = () => isComplete(entry) && usable(folder);
  if (isMade()) {
    log.line(`${entry} is in the cache`);
    return folder;
  }
  makeCacheFolder();
  fs.mkdirSync(path.dirname(folder), { recursive: true, mode: 0o700 });
  const release = await lock(`${folder}.lock`, () =>
    log.line(`waiting: another process makes ${entry}`),
  );
  try {
    if (isMade()) return folder;
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder, { mode: 0o700 });
    log.line(`making ${entry}`);
    const begin = Date.now();
    await build({ folder, log });
    fs.writeFileSync(path.join(folder, complete), new Date().toISOString());
    log.line(`made ${entry} in ${((Date.now() - begin) / 1000).toFixed(1)} s`);
    return folder;
  } finally {
    fs.rmSync(buildFolders(folder).all, { recursive: true, force: true });
    fs.rmSync(`${folder}.lock`, { force: true });
    release();
  }
}

/** Waits for a lock. @param onWait called once if another has it */
async function lock(file: string, onWait: () => void): Promise<Release> {
  for (let tries = 0; ; tries++) {
    const release = tryLock(file);
    if (release) return release;
    if (tries === 0) onWait();
    await sleep(200);
  }
}

function usesFolder(stack?: string): string {
  const stacks = path.join(cacheFolder(), "stacks");
  if (stack === undefined) return stacks;
  const name = createHash("sha256").update(stackFolder(stack)).digest("hex").slice(0, 16);
  return path.join(stacks, name);
}

/** Which stack uses an entry: its folder, and its id, without which the folder means another stack. */
interface Use {
  readonly folder: string;
  readonly owner: string;
  readonly id: string;
}

/** Records that a stack uses the caches, so that they are not cleared meanwhile. */
export function registerUse(stack: string, tool: string): void {
  makeCacheFolder();
  const { root: folder, owner } = stackFiles(stack);
  const use: Use = { folder, owner, id: stackId(stack) };
  writeJson(path.join(usesFolder(stack), tool), use);
}

/** Forgets a use; no matter if there was none. */
export function releaseUse(stack: string, tool: string): void {
  const folder = usesFolder(stack);
  fs.rmSync(path.join(folder, tool), { force: true });
  if (list(folder).length === 0) fs.rmSync(folder, { recursive: true, force: true });
}

/** The folders of the stacks that use the caches; stacks that are gone do not count. */
export function cachesInUse(): string[] {
  const uses = list(usesFolder())
    .flatMap(list)
    .flatMap((file) => readJson<Use>(file) ?? []);
  const existing = uses.filter(({ owner, id }) => readJson<Partial<Use>>(owner)?.id === id);
  return [...new Set(existing.map(({ folder }) => folder))].sort();
}

function list(folder: string): string[] {
  return namesIn(folder).map((name) => path.join(folder, name));
}

/** What is kept in the cache folder; nothing else there is ever removed. */
const kinds = [
  ...["python", "jars", "minio", "toxiproxy", "model", "packages", "uv", "go"],
  ...["datasets", "downloads", "ivy", "uv-downloads", "stacks"],
];

/** The file by which a folder is known as a cache of this project. */
const mark = () => path.join(cacheFolder(), ".engine-comparison-cache");

/**
 * Makes the cache folder, marked as such.
 *
 * @throws UserError where the folder has something else in it
 */
export function makeCacheFolder(): void {
  if (fs.existsSync(mark())) return;
  if (list(cacheFolder()).length > 0) throw notOurs("it would be used as a cache, and cleared");
  writeWhole(mark(), "A cache of engine-comparison: npm run caches -- --clear empties it.\n");
}

/**
 * Empties the shared caches: removes the kinds of things that the project keeps there.
 *
 * @throws UserError while a stack uses them, or for a folder that is no cache of this project
 */
export function clearCaches(): void {
  const used = cachesInUse();
  if (used.length > 0) {
    throw new UserError(
      `${cacheFolder()} is in use by ${used.join(", ")}`,
      "the services of these stacks run from it",
      "destroy these stacks first: npm run destroy -- --stack <name>",
    );
  }
  if (list(cacheFolder()).length === 0) return;
  if (!fs.existsSync(mark()))
    throw notOurs("nothing was removed: the files may be somebody's work");
  for (const kind of kinds) {
    fs.rmSync(path.join(cacheFolder(), kind), { recursive: true, force: true });
  }
}

function notOurs(why: string): UserError {
  return new UserError(
    `${cacheFolder()} has files in it and is not a cache of this project`,
    why,
    `set ENGINE_COMPARISON_CACHE to an empty folder (a cache has a file ${path.basename(mark())})`,
  );
}
