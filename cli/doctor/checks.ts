import * as fs from "node:fs";
import { preparePlatform } from "../../infra/platform";
import { ports } from "../../infra/ports";
import type { Settings } from "../../infra/settings";
import { explained, listObjects, storeClient } from "../../infra/storage/client";
import { ownBuckets } from "../../infra/storage/buckets";
import { UserError } from "../../infra/userError";
import type { ServiceView } from "../services";
import { failedRuns } from "../stackOutputs";

/** What the checks look at. */
export interface Patient {
  readonly stack: string;
  readonly settings: Settings;
  /** As its keeper tells them; none where the stack does not stand. */
  readonly services: readonly ServiceView[];
  /** Names of the runs that the settings ask for. */
  readonly runs: readonly string[];
}

/** A cause of trouble, looked for. */
export interface Check {
  /** What is in order when nothing is found. */
  readonly name: string;
  /** Whether it can be looked at only where the stack stands. */
  readonly needsStack: boolean;
  /** @returns what is wrong; a UserError that is thrown is one too */
  look(patient: Patient): Promise<UserError[]>;
}

/** The checks, causes first: what comes later may be their effect. */
export const checks: readonly Check[] = [
  {
    name: "the machine has what the stack needs (tools, GPU, memory, disk, ports)",
    needsStack: false,
    look: async ({ settings, stack }) => {
      await preparePlatform(settings, stack);
      return [];
    },
  },
  { name: "/dev/shm holds Ray's object store", needsStack: false, look: sharedMemory },
  { name: "every service runs", needsStack: true, look: servicesRun },
  { name: "the object store answers and has the data", needsStack: true, look: dataIsThere },
  { name: "Spark has its workers", needsStack: true, look: sparkHasWorkers },
  { name: "no run failed last", needsStack: true, look: noRunFailed },
];

async function sharedMemory({ settings }: Patient): Promise<UserError[]> {
  if (settings.target !== "local" || !fs.existsSync("/dev/shm")) return [];
  const { blocks, bsize } = fs.statfsSync("/dev/shm");
  return tooLittleSharedMemory(blocks * bsize, settings.rayObjectStoreMemory);
}

/** @param size of /dev/shm in bytes */
export function tooLittleSharedMemory(size: number, objectStore: number): UserError[] {
  if (size >= objectStore) return [];
  const mib = (bytes: number) => `${Math.floor(bytes / 2 ** 20)}m`;
  return [
    new UserError(
      `/dev/shm has ${mib(size)}, and Ray's object store is to have ${mib(objectStore)}`,
      "Ray keeps it on the disk instead, which is slow",
      `set rayObjectStoreMemory to ${mib(size)} or less, or give /dev/shm more ` +
        "(mount -o remount,size=..., in a container --shm-size)",
    ),
  ];
}

async function servicesRun({ stack, services }: Patient): Promise<UserError[]> {
  const on = stack === "local" ? "" : ` --stack ${stack}`;
  return services
    .filter(({ state }) => !/^(RUNNING|Up\b(?!.*unhealthy))/.test(state))
    .map(
      ({ name, state }) =>
        new UserError(
          `${name} is ${state}`,
          "what depends on it fails or waits",
          `see why: npm run logs -- ${name}${on}; then npm start${on && ` --${on}`} starts it again`,
        ),
    );
}

async function dataIsThere({ stack }: Patient): Promise<UserError[]> {
  const client = await storeClient(stack);
  const prefixes = [
    [ownBuckets.lake, "taxi/"],
    [ownBuckets.images, "images/"],
  ] as const;
  const found = await explained(() =>
    Promise.all(
      prefixes.map(async ([bucket, prefix]) =>
        (await client.bucketExists(bucket)) ? (await listObjects(client, bucket, prefix)).size : 0,
      ),
    ),
  );
  if (found.some((count) => count > 0)) return [];
  return [
    new UserError(
      `${prefixes.map((each) => each.join("/")).join(" and ")} are empty`,
      "the runs have nothing to read (FileNotFoundError, NoSuchKey)",
      "npm start: uploads are resources, and missing ones are made again",
    ),
  ];
}

async function sparkHasWorkers({ settings }: Patient): Promise<UserError[]> {
  const url = `http://127.0.0.1:${ports(settings.portOffset).sparkMaster.ui}`;
  try {
    const answer = await fetch(`${url}/json/`, { signal: AbortSignal.timeout(5_000) });
    const { workers } = (await answer.json()) as { workers: readonly { state: string }[] };
    const alive = workers.filter(({ state }) => state === "ALIVE").length;
    return tooFewWorkers(alive, settings.sparkWorkers, url);
  } catch (error) {
    return [masterSilent(url, error as Error)];
  }
}

function tooFewWorkers(alive: number, wanted: number, url: string): UserError[] {
  if (alive >= wanted) return [];
  return [
    new UserError(
      `${alive} of ${wanted} Spark workers are registered at ${url}`,
      alive === 0
        ? "Spark's jobs wait for a worker"
        : "Spark's jobs have fewer cores than the rest",
      "npm run status shows which is gone, npm run logs -- spark-worker-1 why; npm start starts it again",
    ),
  ];
}

function masterSilent(url: string, { message }: Error): UserError {
  return new UserError(
    `Spark's master does not answer at ${url} (${message})`,
    "Spark's jobs hang",
    "npm run logs -- spark-master, then npm start",
  );
}

async function noRunFailed({ stack, runs }: Patient): Promise<UserError[]> {
  return failedRuns(stack, runs).map(
    ([run, { reason, log }]) =>
      new UserError(
        `${run} failed last: ${reason.split("\n")[0]}`,
        `the whole story is in ${log}`,
        `mend what it says (docs/troubleshooting.md has the known causes), then npm run rerun -- ${run}`,
      ),
  );
}
