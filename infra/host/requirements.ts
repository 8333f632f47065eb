import * as fs from "node:fs";
import * as path from "node:path";
import type { DeviceName } from "../contracts/platform";
import { UserError } from "../contracts/errors";

const gib = 2 ** 30;

/** What an installation of the toolchain takes at its peak: Python 2.5 GiB, building MinIO 3 GiB. */
const toolchainDisk = 7 * gib;

/** What CUDA takes besides, packed and unpacked. */
const cudaDisk = 5 * gib;

/** What a stack takes: the sample datasets twice, outputs, shuffle files and logs. */
const stackDisk = 2 * gib;

/** What the services take by themselves, before a job runs. */
const servicesMemory = 2.5 * gib;

/**
 * Checks the folders' names: Ray starts its parts by unquoted command lines out of the cache, and
 * supervisord's configuration has no way to write some characters.
 */
export function unusableFolders(cache: string, home: string): UserError[] {
  const unusable = (folder: string, variable: string, wrong: RegExp, what: string) =>
    wrong.test(folder)
      ? [
          new UserError(
            `${folder} has ${what} in its name`,
            "the services cannot be started with such a path",
            `set ${variable} to a folder with a plain name`,
          ),
        ]
      : [];
  return [
    ...unusable(
      cache,
      "ENGINE_COMPARISON_CACHE",
      /[^\w./+@=,~-]/,
      "a space or another odd character",
    ),
    ...unusable(
      home,
      "ENGINE_COMPARISON_HOME",
      /["\\\n]|\s[;#]/,
      "a quote, backslash or comment sign",
    ),
  ];
}

/** What was found on the machine; undefined what need not be looked at. */
export interface Found {
  /** Free bytes where the caches go, if something must be installed. */
  readonly cacheFree?: { readonly folder: string; readonly bytes: number };
  /** What the toolchain is for. @default cpu */
  readonly device?: DeviceName;
  /** Free bytes where the stack folder goes. */
  readonly homeFree?: { readonly folder: string; readonly bytes: number };
  /** Memory that could be had without swapping, if services must be started. */
  readonly memoryFree?: number;
  /** What the finder of a tool threw. */
  readonly missing: readonly UserError[];
}

/** Everything that stands in the way of a deployment, at once rather than one by one. */
export function lacking(found: Found): UserError[] {
  const { cacheFree, device, homeFree, memoryFree, missing } = found;
  const toolchain = toolchainDisk + (device === "cuda" ? cudaDisk : 0);
  return [
    ...missing,
    ...tooSmall(cacheFree, toolchain, "the toolchain", "ENGINE_COMPARISON_CACHE"),
    ...tooSmall(homeFree, stackDisk, "a stack", "ENGINE_COMPARISON_HOME"),
    ...(memoryFree !== undefined && memoryFree < servicesMemory
      ? [
          new UserError(
            `${inGib(memoryFree)} of memory is free, and the services take ${inGib(servicesMemory)}`,
            "the kernel would end some of them",
            "end other programs, or other stacks (npm run destroy)",
          ),
        ]
      : []),
  ];
}

function tooSmall(
  free: { folder: string; bytes: number } | undefined,
  wanted: number,
  what: string,
  variable: string,
): UserError[] {
  if (!free || free.bytes >= wanted) return [];
  return [
    new UserError(
      `${inGib(free.bytes)} is free in ${free.folder}, and ${what} takes ${inGib(wanted)}`,
      "it would stop half-way on a full disk",
      `make room, or set ${variable} to a folder on another disk`,
    ),
  ];
}

/** Several errors as one, so that they are mended in one go. */
export function together(errors: readonly UserError[]): UserError {
  if (errors.length === 1) return errors[0];
  const list = (part: "what" | "why" | "fix") =>
    errors.map((error) => error[part]).join("\n       ");
  return new UserError(list("what"), list("why"), list("fix"));
}

function inGib(bytes: number): string {
  return `${(bytes / gib).toFixed(1)} GiB`;
}

/** Free bytes for this user on the disk where `folder` is or will be. */
export function freeDisk(folder: string): { folder: string; bytes: number } {
  let existing = folder;
  while (!fs.existsSync(existing)) existing = path.dirname(existing);
  const { bavail, bsize } = fs.statfsSync(existing);
  return { folder, bytes: bavail * bsize };
}

/** Memory that could be had without swapping; undefined where the system does not say. */
export function freeMemory(): number | undefined {
  try {
    const found = /^MemAvailable:\s+(\d+) kB/m.exec(fs.readFileSync("/proc/meminfo", "utf8"));
    return found ? Number(found[1]) * 1024 : undefined;
  } catch {
    return undefined;
  }
}
