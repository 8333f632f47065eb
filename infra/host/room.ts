import * as fs from "node:fs";
import * as os from "node:os";
import { npm, size, wrong, type UserError } from "../contracts/errors";
import type { Machine } from "../contracts/target";
import { groupLimit } from "./controlGroups";
import { readOr } from "./folders";
import { check, nearestExisting, type Needed, type StackContext } from "./checks";

const gib = 2 ** 30;

/** What goes onto a disk at its peak. */
export interface Load {
  readonly what: string;
  readonly bytes: number;
}

export const loads = {
  /** Python 2.5 GiB, building MinIO 3 GiB; CUDA takes 5 GiB more, packed and unpacked. */
  toolchain: (device: "cpu" | "cuda"): Load => ({
    what: "the toolchain",
    bytes: (device === "cuda" ? 12 : 7) * gib,
  }),
  /** The sample datasets twice, outputs, shuffle files and logs. */
  stack: { what: "a stack", bytes: 2 * gib },
  /** MinIO takes no more objects when its drive is nearly full; Spark and Ray spill to disk. */
  runs: { what: "a run", bytes: gib },
  /** Sockets, Ray's logs, what TypeScript was compiled to. */
  temporary: { what: "what is temporary", bytes: gib / 4 },
} as const;

/** A disk that is written to. */
export interface DiskUse {
  readonly folder: string;
  /** What puts things elsewhere, where something does. */
  readonly variable?: string;
  readonly load: Load;
}

export type Disk = ReturnType<typeof freeOn>;

const minFiles = 20_000;

export function tooLittleDisk(disks: readonly Disk[]): UserError[] {
  return disks.flatMap(({ folder, variable, load, freeBytes, freeFiles }) => {
    const fix =
      variable === undefined
        ? "make room there"
        : `make room (npm run caches shows what the caches hold), or set ${variable} to a folder on another disk`;
    if (freeBytes < load.bytes) {
      const what = `${size(freeBytes)} is free in ${folder}, and ${load.what} takes ${size(load.bytes)}`;
      return wrong(what, "it would stop half-way: no space left on device", fix);
    }
    if (freeFiles === undefined || freeFiles >= minFiles) return [];
    return wrong(
      `only ${freeFiles} more files can be made in ${folder}`,
      "the disk has used up its inodes: it says that it is full although there is room",
      fix,
    );
  });
}

/** @param blocks whether something that takes room must still be made */
export const diskCheck = (
  uses: (context: StackContext) => Promise<readonly DiskUse[]> | readonly DiskUse[],
  blocks: Needed | false,
) =>
  check({
    id: "disk",
    name: "the disks have room",
    blocks,
    after: ["docker", "folders"],
    observe: async (context) => (await uses(context)).map(freeOn),
    judge: tooLittleDisk,
  });

/** What a disk has; of files, how many can still be made, where it sets a bound. */
function freeOn(use: DiskUse) {
  const { bavail, bsize, files, ffree } = fs.statfsSync(nearestExisting(use.folder));
  return { ...use, freeBytes: bavail * bsize, ...(files > 0 ? { freeFiles: ffree } : {}) };
}

/** What the services take by themselves, before a job runs. */
const servicesMemory = 2.5 * gib;
/** What a run takes at least when the services run: Spark's driver alone is given that. */
const runMemory = gib;

/** Memory that processes which are started here can have. */
export interface Memory {
  /** Without swapping; undefined where the system does not say. */
  readonly free?: number;
  /** Of the control groups that this process is in. */
  readonly group?: ReturnType<typeof groupLimit>;
  /** Whether the services have theirs already, or are on other machines. */
  readonly served: boolean;
}

export function tooLittleMemory({ free, group, served }: Memory, stack: string): UserError[] {
  const limited = group !== undefined && (free === undefined || group.free < free);
  const left = limited ? group.free : free;
  const needed = served ? runMemory : servicesMemory;
  if (left === undefined || left >= needed) return [];
  const [limit, raise] = limited
    ? [
        `: the control group of this session or container ends at ${size(group.limit)}`,
        "; or raise that limit (docker run --memory, systemctl set-property)",
      ]
    : ["", ""];
  const smaller = npm(stack, "start", "--config", "batchSize=16");
  return wrong(
    `${size(left)} of memory is free, and ${served ? "a run takes" : "the services take"} ${size(needed)}${limit}`,
    "the kernel kills processes when memory runs out",
    (served
      ? `end other programs, or set smaller sparkWorkerMemory, rayObjectStoreMemory or batchSize: ${smaller}`
      : "end other programs, or other stacks (npm run destroy)") + raise,
  );
}

/** @param blocks whether services must be started */
export const memoryCheck = (
  observe: (context: StackContext) => Promise<Memory> | Memory,
  blocks: Needed | false,
) =>
  check({
    id: "memory",
    name: "there is memory for the services and a run",
    blocks,
    after: ["docker"],
    observe,
    judge: (facts, { stack }) => tooLittleMemory(facts, stack),
  });

export function memoryHere(served: boolean): Memory {
  return { free: freeMemory(), group: groupLimit("memory"), served };
}

/** Memory that could be had without swapping; undefined where the system does not say. */
export function freeMemory(): number | undefined {
  const found = /^MemAvailable:\s+(\d+) kB/m.exec(readOr("/proc/meminfo") ?? "");
  return found ? Number(found[1]) * 1024 : undefined;
}

/** Shared memory where Ray's object store is. */
export interface SharedMemory {
  /** e.g. `/dev/shm` */
  readonly of: string;
  /** Its size; undefined without one. */
  readonly bytes?: number;
}

export function tooLittleSharedMemory({ of, bytes }: SharedMemory, store: number): UserError[] {
  if (bytes === undefined || bytes >= store) return [];
  const mib = (bytes: number) => `${Math.floor(bytes / 2 ** 20)}m`;
  return wrong(
    `${of} has ${mib(bytes)}, and rayObjectStoreMemory is ${mib(store)}`,
    "Ray keeps its object store on the disk instead, which is slow",
    `set rayObjectStoreMemory to ${mib(bytes)} or less, or give ${of} more: containerShm on ` +
      "target docker, else mount -o remount,size=... (in a container of your own, --shm-size)",
  );
}

export const sharedMemoryCheck = (observe: (context: StackContext) => SharedMemory) =>
  check({
    id: "shm",
    name: "shared memory holds Ray's object store",
    blocks: false,
    after: ["docker"],
    observe,
    judge: (facts, { settings }) => tooLittleSharedMemory(facts, settings.rayObjectStoreMemory),
  });

export function sharedMemoryHere(): SharedMemory {
  const of = "/dev/shm";
  if (!fs.existsSync(of)) return { of };
  const { blocks, bsize } = fs.statfsSync(of);
  return { of, bytes: blocks * bsize };
}

export function machine(): Machine {
  return { cpus: os.availableParallelism(), memoryBytes: os.totalmem() };
}
