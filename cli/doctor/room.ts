import * as fs from "node:fs";
import { inspect } from "../../infra/targets/local/status";
import { freeMemory, lacking } from "../../infra/host/requirements";
import { UserError } from "../../infra/contracts/errors";
import { memoryRoom, type Room } from "./cgroup";
import { check, npm, size, startsEngines, type Check, type Patient } from "./check";
import { surroundings } from "./containers";
import { existing, readOr, writtenFolders } from "./places";

const gib = 2 ** 30;

/** A disk that is written to, as it is now. */
export interface Disk {
  readonly folder: string;
  /** What puts things elsewhere. */
  readonly variable: string;
  readonly freeBytes: number;
  /** Files that can be made still; undefined where the disk sets no bound. */
  readonly freeFiles?: number;
}

/** MinIO takes no object any more when its drive is nearly full, and Spark and Ray spill to disk. */
const leastDisk = gib;
const leastFiles = 20_000;

export function tooLittleDisk(disks: readonly Disk[]): UserError[] {
  return disks.flatMap(({ folder, variable, freeBytes, freeFiles }) => {
    const cure =
      "make room (npm run caches tells what the caches hold), " +
      `or set ${variable} to a folder on another disk`;
    if (freeBytes < leastDisk) {
      return [
        new UserError(
          `${size(freeBytes)} is free in ${folder}, and ${size(leastDisk)} should be`,
          "no space left on device: uploads, spilled data and logs stop half-way",
          cure,
        ),
      ];
    }
    if (freeFiles !== undefined && freeFiles < leastFiles) {
      return [
        new UserError(
          `only ${freeFiles} more files can be made in ${folder}`,
          "the disk says that it is full although there is room: its inodes are used up",
          cure,
        ),
      ];
    }
    return [];
  });
}

/** Memory, as far as processes that are started here can have it. */
export interface Memory {
  /** Without swapping; undefined where the system does not say. */
  readonly free?: number;
  /** Of the control groups that this process is in. */
  readonly group?: Room;
  /** Whether the services have theirs already, or are on other machines. */
  readonly serviced: boolean;
}

/** What a run needs at least when the services stand: Spark's driver alone is given that. */
const leastMemory = gib;

export function tooLittleMemory({ free, group, serviced }: Memory, stack: string): UserError[] {
  const limited = group !== undefined && (free === undefined || group.free < free);
  const there = limited ? group.free : free;
  if (there === undefined) return [];
  const errors = serviced
    ? tooLittleForRuns(there, stack)
    : lacking({ memoryFree: there, missing: [] });
  if (!limited) return errors;
  return errors.map(
    ({ what, why, fix }) =>
      new UserError(
        `${what}: the control group of this session or container ends at ${size(group.limit)}`,
        why,
        `${fix}; or raise that limit (docker run --memory, systemctl set-property)`,
      ),
  );
}

function tooLittleForRuns(free: number, stack: string): UserError[] {
  if (free >= leastMemory) return [];
  return [
    new UserError(
      `${size(free)} of memory is free, and a run takes ${size(leastMemory)} and more`,
      "runs and services are killed, or fail out of memory",
      "end other programs, or set smaller sparkWorkerMemory, rayObjectStoreMemory or batchSize: " +
        npm(stack, "start", "--config", "batchSize=16"),
    ),
  ];
}

/** Shared memory where Ray's object store is. */
export interface SharedMemory {
  /** e.g. `/dev/shm` */
  readonly of: string;
  /** Its size; undefined where there is none. */
  readonly bytes?: number;
}

export function tooLittleSharedMemory(
  { of, bytes }: SharedMemory,
  objectStore: number,
): UserError[] {
  if (bytes === undefined || bytes >= objectStore) return [];
  const mib = (bytes: number) => `${Math.floor(bytes / 2 ** 20)}m`;
  return [
    new UserError(
      `${of} has ${mib(bytes)}, and Ray's object store is to have ${mib(objectStore)}`,
      "Ray keeps it on the disk instead, which is slow",
      `set rayObjectStoreMemory to ${mib(bytes)} or less, or give ${of} more: containerShm on ` +
        "target docker, else mount -o remount,size=... (in a container of your own, --shm-size)",
    ),
  ];
}

function disks({ settings, stack }: Patient): Disk[] {
  const written: { folder: string; variable: string }[] = [...writtenFolders()];
  if (settings.target === "docker") {
    const { root } = surroundings(stack);
    if (root !== undefined) written.push({ folder: root, variable: "Docker's data-root" });
  }
  return written.map((each) => {
    const { bavail, bsize, files, ffree } = fs.statfsSync(existing(each.folder));
    return { ...each, freeBytes: bavail * bsize, ...(files > 0 ? { freeFiles: ffree } : {}) };
  });
}

async function memory({ settings, stack }: Patient): Promise<Memory> {
  const free = freeMemory();
  if (settings.target === "docker") {
    const { found, desktop } = surroundings(stack);
    const serviced = [...found.containers.values()].some(({ running }) => running);
    // Containers are no children of this process, and Docker Desktop has a machine of its own.
    return desktop ? { serviced } : { free, serviced };
  }
  if (settings.target === "cluster") {
    return { free, group: memoryRoom(readOr), serviced: true };
  }
  const observed = await inspect(stack);
  return { free, group: memoryRoom(readOr), serviced: observed.alive("ray-head") };
}

function sharedMemory({ settings, stack }: Patient): SharedMemory {
  if (settings.target === "docker") {
    const worker = surroundings(stack).inspected.find(({ role }) => role === "ray-worker");
    return { of: `/dev/shm of ${worker?.name}`, bytes: worker?.shmBytes };
  }
  const of = "/dev/shm";
  if (!fs.existsSync(of)) return { of };
  const { blocks, bsize } = fs.statfsSync(of);
  return { of, bytes: blocks * bsize };
}

/** Whether there is room for what stacks and runs keep. */
export const roomChecks: readonly Check[] = [
  check({
    id: "disk",
    name: "the disks have room",
    after: ["docker"],
    observe: disks,
    judge: tooLittleDisk,
  }),
  check({
    id: "memory",
    name: "there is memory for the services and a run",
    after: ["docker"],
    observe: memory,
    judge: (seen, { stack }) => tooLittleMemory(seen, stack),
  }),
  check({
    id: "shm",
    name: "shared memory holds Ray's object store",
    applies: startsEngines,
    after: ["docker"],
    observe: sharedMemory,
    judge: (seen, { settings }) => tooLittleSharedMemory(seen, settings.rayObjectStoreMemory),
  }),
];
