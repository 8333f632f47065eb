import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as lockfile from "proper-lockfile";
import { cacheFolder, stackFolder } from "../host/folders";
import { UserError } from "../contracts/errors";
import { endAbandoned, type BuildLog } from "./builds";

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
  /** Remembers the running command; see `runBuild`. */
  readonly pidFile: string;
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
  fs.mkdirSync(path.dirname(folder), { recursive: true, mode: 0o700 });
  const release = await lock(folder, log);
  try {
    if (isMade()) return folder;
    const pidFile = `${folder}.pid`;
    endAbandoned(pidFile);
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder, { mode: 0o700 });
    log.line(`making ${entry}`);
    const begin = Date.now();
    await build({ folder, log, pidFile });
    fs.writeFileSync(path.join(folder, complete), new Date().toISOString());
    log.line(`made ${entry} in ${((Date.now() - begin) / 1000).toFixed(1)} s`);
    return folder;
  } finally {
    await release();
  }
}

async function lock(folder: string, log: BuildLog): Promise<() => Promise<void>> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await lockfile.lock(folder, {
        realpath: false,
        lockfilePath: `${folder}.lock`,
        stale: 20_000,
        update: 4_000,
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ELOCKED") throw error;
      if (attempt === 0) log.line(`waiting: another process makes ${folder}`);
      await sleep(500);
    }
  }
}

function usesFolder(stack?: string): string {
  const stacks = path.join(cacheFolder(), "stacks");
  if (stack === undefined) return stacks;
  const name = createHash("sha256").update(stackFolder(stack)).digest("hex").slice(0, 16);
  return path.join(stacks, name);
}

/** Records that a stack stands on the caches, so that they are not cleared under it. */
export function registerUse(stack: string, tool: string): void {
  const folder = usesFolder(stack);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  fs.writeFileSync(path.join(folder, tool), stackFolder(stack));
}

/** Forgets a use; no matter if there was none. */
export function releaseUse(stack: string, tool: string): void {
  const folder = usesFolder(stack);
  fs.rmSync(path.join(folder, tool), { force: true });
  try {
    fs.rmdirSync(folder);
  } catch {
    // other tools are still in use, or the folder is gone
  }
}

/**
 * The folders of the stacks that stand on the caches; one of which nothing stands any more does not
 * count.
 */
export function cachesInUse(): string[] {
  const uses = list(usesFolder()).flatMap(list);
  const folders = new Set(uses.map((use) => fs.readFileSync(use, "utf8")));
  return [...folders].filter((folder) => list(path.join(folder, "standing")).length > 0).sort();
}

function list(folder: string): string[] {
  try {
    return fs.readdirSync(folder).map((name) => path.join(folder, name));
  } catch {
    return [];
  }
}

/**
 * Removes the shared caches.
 *
 * @throws UserError while a stack stands on them
 */
export function clearCaches(): void {
  const used = cachesInUse();
  if (used.length > 0) {
    throw new UserError(
      `${cacheFolder()} is in use by ${used.join(", ")}`,
      "the services of a standing stack run from it",
      "destroy these stacks first: npm run destroy -- --stack <name>",
    );
  }
  fs.rmSync(cacheFolder(), { recursive: true, force: true });
}
