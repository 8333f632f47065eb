import { spawn } from "node:child_process";
import { hash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { tryLock, type Release } from "../../embedded/fileLock";
import { guardGroup } from "../../embedded/guard";
import { makeOwnFolders, ownEnvironment, type OwnFolders } from "../host/environment";
import { cacheFolder, namesIn, stackFolder } from "../host/folders";
import { readJson, stackFiles, writeJson, writeWhole } from "../stack/files";
import { stackId } from "../stack/owner";
import { UserError } from "../contracts/errors";

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

export class BuildLog {
  /** For a child's output. */
  readonly descriptor: number;

  constructor(readonly file: string) {
    this.descriptor = fs.openSync(file, "a", 0o600);
  }

  line(text: string): void {
    fs.writeSync(this.descriptor, `${new Date().toISOString()} ${text}\n`);
  }
}

export interface BuildCommand {
  readonly argv: readonly string[];
  /** What it gets besides the environment of all builds. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** What the user can do when it fails, besides reading the log. */
  readonly advice: string;
}

/** The folders of a build's commands, removed when it ends. @param folder what is built */
export function buildFolders(folder: string): OwnFolders & { readonly all: string } {
  const all = `${folder}.own`;
  return { all, home: path.join(all, "home"), temporary: path.join(all, "tmp") };
}

/**
 * Runs a command with its output in the log. It is ended with all its processes when this process
 * ends: two builds in one folder would spoil each other.
 *
 * @throws UserError with the last lines of its output when it fails
 */
export async function runBuild(
  { log, folder }: { readonly log: BuildLog; readonly folder: string },
  { argv, env, cwd, advice }: BuildCommand,
): Promise<void> {
  const [program, ...args] = argv;
  const begin = fs.fstatSync(log.descriptor).size;
  log.line(`$ ${argv.join(" ")}`);
  const child = spawn(program, args, {
    env: { ...ownEnvironment(makeOwnFolders(buildFolders(folder))), ...env },
    cwd,
    detached: true,
    stdio: ["ignore", log.descriptor, log.descriptor],
  });
  const unguard = guardGroup(child.pid);
  const failure = await new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) =>
      resolve(code === 0 ? undefined : signal ? `ended by ${signal}` : `exit code ${code}`),
    );
  });
  unguard();
  if (failure !== undefined) {
    const output = fs.readFileSync(log.file).subarray(begin).toString();
    const last = output.trimEnd().split("\n").slice(-8).join("\n  | ");
    throw new UserError(
      `${program} failed (${failure}):\n  | ${last}`,
      "a tool that the stack needs could not be installed",
      `${advice}; the whole log is ${log.file}`,
    );
  }
}

function usesFolder(stack?: string): string {
  const stacks = path.join(cacheFolder(), "stacks");
  if (stack === undefined) return stacks;
  const name = hash("sha256", stackFolder(stack)).slice(0, 16);
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
