import { size, wrong, type UserError } from "../contracts/errors";
import type { Machine, Store } from "../contracts/target";
import type { Settings } from "./schema";

/** Photographs of Food-101 that its makers reviewed by hand: 250 of each of 101 classes. */
const reviewedPhotos = 101 * 250;

/** @param takesExisting whether the store may have data that was there before the stack */
export function datasetConflicts(
  { datasetSource, objectStore, photos }: Settings,
  takesExisting: boolean,
): UserError[] {
  if (datasetSource === "existing" && !takesExisting) {
    return wrong(
      `datasetSource is "existing" and objectStore is ${objectStore}`,
      "only a store that is there already can have data that is there already",
      "set objectStore to s3, or datasetSource to sample",
    );
  }
  if (datasetSource !== "nyc" || photos <= reviewedPhotos) return [];
  return wrong(
    `photos is "${photos}": with datasetSource nyc it must be at most ${reviewedPhotos}`,
    "Food-101 has 250 reviewed photographs of each of its 101 classes",
    `set photos to at most ${reviewedPhotos}, or datasetSource to sample`,
  );
}

/** The keys with a value of those that are for an external store alone. */
export function setExternal(settings: Settings): string[] {
  const keys = ["s3Endpoint", "s3CaCertificates", "s3AccessKey", "s3SecretKey"] as const;
  return keys.filter((key) => settings[key] !== undefined);
}

/** For a target that starts no proxy before the store. */
export function shapedConflicts({ network, target }: Settings): UserError[] {
  if (network === "none") return [];
  return wrong(
    `network is "${network}" and target is ${target}`,
    "only target local starts the proxy that delays the store's answers",
    "set target to local, or network to none",
  );
}

/** For a target that starts a proxy before the store: engines reach that by 127.0.0.1 then. */
export function proxyConflicts(
  { network, s3Endpoint, s3PathStyle }: Settings,
  store: Pick<Store<Settings>, "name" | "external">,
): UserError[] {
  const works = !store.external || (s3Endpoint?.startsWith("http:") && s3PathStyle);
  if (network === "none" || works) return [];
  return wrong(
    `network is "${network}", and objectStore is ${store.name} with https or buckets in host names`,
    "engines would reach the store as 127.0.0.1, which is not the name in its certificate or of a bucket",
    "set network to none, or objectStore to minio; with s3, an http address and s3PathStyle work, too",
  );
}

/** What the settings of clusters that exist already are for. */
const ofClusters = [
  "sparkMaster",
  "sparkMasterUi",
  "sparkSecret",
  "sparkDriverHost",
  "rayAddress",
  "rayToken",
] as const;

/** Spark workers that a target may start: each needs separate ports. */
const maxStartedWorkers = 16;

/** For a target that starts Spark and Ray on this machine. */
export function startedHereConflicts(settings: Settings, machine: Machine): UserError[] {
  const { target, sparkWorkers, sparkExecutors } = settings;
  const useless = ofClusters.filter((key) => settings[key] !== undefined);
  const memory = sparkExecutors * settings.sparkWorkerMemory + settings.rayObjectStoreMemory;
  const tooManyWorkers = wrong(
    `sparkWorkers is "${sparkWorkers}": with target ${target} it must be at most ${maxStartedWorkers}`,
    "each worker that the target starts needs separate ports",
    "set fewer sparkWorkers, with more sparkWorkerCores each",
  );
  const named = wrong(
    `${useless.join(", ")} is set, but target is ${target}`,
    "the target starts Spark and Ray by itself, and would not use those",
    "set target to cluster, or unset these settings",
  );
  const tooManyExecutors = wrong(
    `sparkExecutors is "${sparkExecutors}", and sparkWorkers is ${sparkWorkers}`,
    "an executor takes a whole worker, so a run of Spark would wait for ever",
    "set fewer sparkExecutors, or more sparkWorkers",
  );
  const tooLarge = wrong(
    `sparkExecutors x sparkWorkerMemory + rayObjectStoreMemory is ${size(memory)}, ` +
      `but this machine has ${size(machine.memoryBytes)}`,
    "the services would be killed by the kernel when memory runs out",
    "set fewer sparkExecutors, or a smaller sparkWorkerMemory or rayObjectStoreMemory",
  );
  return [
    ...(sparkWorkers > maxStartedWorkers ? tooManyWorkers : []),
    ...(useless.length > 0 ? named : []),
    ...(sparkExecutors > sparkWorkers ? tooManyExecutors : []),
    ...(memory > machine.memoryBytes ? tooLarge : []),
  ];
}
