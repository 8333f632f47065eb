import * as fs from "node:fs";
import * as path from "node:path";
import { wrong, type Check, type Context } from "../contracts/check";
import { UserError } from "../contracts/errors";
import type { Settings } from "../settings/schema";
import { cacheFolder, homeFolder, readOr, stackFolder } from "./folders";
import { findJava, findPython } from "./runtimes";

export type StackContext = Context<Settings>;
export type StackCheck = Check<Settings>;

/** A check, with the type of its facts inferred. */
export function check<Facts>(one: Check<Settings, Facts>): StackCheck {
  return one;
}

export const deployed = ({ deployed }: StackContext): boolean => deployed;

/** The command that shows a service's log on a target, for messages. */
export type Logs = (context: Pick<StackContext, "stack">, service: string) => string;

/** The folder or, where it is not made yet, the one that it will be in. */
export function nearestExisting(folder: string): string {
  return fs.existsSync(folder) ? folder : nearestExisting(path.dirname(folder));
}

/** Where things are written to, and what sets it. */
export const writtenFolders = () =>
  [
    { folder: cacheFolder(), variable: "ENGINE_COMPARISON_CACHE" },
    { folder: homeFolder(), variable: "ENGINE_COMPARISON_HOME" },
  ] as const;

/** Whether a kernel is Windows' own. @param version the text of /proc/version */
export function isWsl(version: string): boolean {
  return /microsoft/i.test(version);
}

/** The kernel's version; empty on another system than Linux. */
export function kernelVersion(): string {
  return readOr("/proc/version") ?? "";
}

/**
 * Refuses systems that the services do not run on. cli/install.mjs says the same in the same words,
 * before anything is downloaded.
 *
 * @param system as Node names it
 * @param kernel the text of /proc/version
 */
export function unsupportedPlatform(system: string, kernel: string): UserError[] {
  const isWsl1 = isWsl(kernel) && !/WSL2|microsoft-standard/.test(kernel);
  if (system === "linux" && !isWsl1) return [];
  const names: Readonly<Record<string, string>> = { darwin: "macOS", win32: "Windows" };
  return wrong(
    `${isWsl1 ? "WSL1" : (names[system] ?? system)} is not supported`,
    "MinIO, Spark and Ray are run as Linux processes; Linux (x86-64) and WSL2 are supported",
    isWsl1
      ? "in Windows: wsl --set-version <distribution> 2"
      : "use a Linux machine or virtual machine, or WSL2 on Windows",
  );
}

export const platformCheck = check({
  id: "platform",
  name: "the operating system is supported",
  blocks: true,
  observe: () => ({ system: process.platform, kernel: kernelVersion() }),
  judge: ({ system, kernel }) => unsupportedPlatform(system, kernel),
});

/** A folder that things are written to. */
export interface Folder {
  readonly folder: string;
  /** What sets it. */
  readonly variable: string;
  /** Whether this user may write there, or where it is going to be. */
  readonly writable: boolean;
}

/** Ray starts its parts by unquoted command lines out of the cache. */
const oddInCache = /[^\w./+@=,~-]/;
/** supervisord's configuration has no way to write these. */
const oddInHome = /["\\\n]|\s[;#]/;

/** @param plain whether services that cannot take every name are started from the folders */
export function unusableFolders(folders: readonly Folder[], plain: boolean): UserError[] {
  return folders.flatMap(({ folder, variable, writable }) => {
    const odd = (variable === "ENGINE_COMPARISON_CACHE" ? oddInCache : oddInHome).exec(folder)?.[0];
    if (plain && odd !== undefined) {
      return wrong(
        `the path ${folder} contains ${JSON.stringify(odd)}`,
        "Ray and supervisord cannot start services from such a path",
        `set ${variable} to a folder whose path has only letters, digits and ./+@=,~-_`,
      );
    }
    if (writable) return [];
    return wrong(
      `${folder} cannot be written by this user`,
      "stacks and caches are kept there; maybe a command was once run as root, or the disk is read-only",
      `make it yours (sudo chown -R "$USER" ${folder}), or set ${variable} to another folder`,
    );
  });
}

function isWritable(folder: string): boolean {
  try {
    fs.accessSync(nearestExisting(folder), fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param plain as for {@link unusableFolders} */
export const foldersCheck = (plain: boolean) =>
  check({
    id: "folders",
    name: "the folders of caches and stacks can be used",
    blocks: true,
    observe: ({ stack }) => {
      const [cache, home] = writtenFolders();
      const own = stackFolder(stack);
      const folders = [cache, fs.existsSync(own) ? { ...home, folder: own } : home];
      return folders.map((each) => ({ ...each, writable: isWritable(each.folder) }));
    },
    judge: (folders) => unusableFolders(folders, plain),
  });

/** What a process may have; Infinity for no bound. */
export interface Limits {
  readonly files: number;
  readonly processes: number;
}

/** Reads /proc/self/limits: the hard limit of files, which the supervisor takes, and the soft one of threads. */
export function parseLimits(text: string): Limits {
  const [, , files] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(text) ?? [];
  const [, processes] = /^Max processes\s+(\S+)/m.exec(text) ?? [];
  const number = (word = "unlimited") => (word === "unlimited" ? Infinity : Number(word));
  return { files: number(files), processes: number(processes) };
}

/** MinIO and Ray keep thousands of files open; a JVM and Ray's parts start hundreds of threads each. */
const minLimit = 4096;

export function tooLowLimits({ files, processes }: Limits): UserError[] {
  const low = (limit: number, what: string, why: string, item: string) => {
    const fix = `raise ${item} for this user to ${minLimit} or more in /etc/security/limits.conf, and log in again`;
    return limit < minLimit ? wrong(what, why, fix) : [];
  };
  const noFiles = "MinIO and Ray need thousands: too many open files";
  const noThread =
    "a JVM and Ray start hundreds: pthread_create failed, unable to create native thread";
  return [
    ...low(files, `a process may have ${files} open files (ulimit -Hn)`, noFiles, "nofile"),
    ...low(
      processes,
      `this user may have ${processes} processes and threads (ulimit -u)`,
      noThread,
      "nproc",
    ),
  ];
}

export const limitsCheck = check({
  id: "limits",
  name: "files and processes are not limited too much",
  blocks: false,
  observe: () => parseLimits(readOr("/proc/self/limits") ?? ""),
  judge: tooLowLimits,
});

/** Whether something must still be made, for which a tool or room is needed. */
export type Needed = (context: StackContext) => boolean | Promise<boolean>;

export const javaCheck = (blocks: Needed | false) =>
  check({
    id: "jdk",
    name: "there is a full JDK 17 or 21",
    blocks,
    observe: findJava,
    judge: () => [],
  });

/** @param needed whether an environment must be made: one that exists has its interpreter */
export const pythonCheck = (needed: Needed) =>
  check({
    id: "python",
    name: "there is a Python that the lock covers",
    blocks: needed,
    observe: async (context) => (await needed(context)) && findPython(),
    judge: () => [],
  });
