import { size } from "../contracts/check";
import type { Conflict, Machine, Store } from "../contracts/target";
import type { Settings } from "./schema";

/** Photographs of Food-101 that its makers reviewed by hand: 250 of each of 101 classes. */
const reviewedPhotos = 101 * 250;

/** @param takesExisting whether the store may have data that was there before the stack */
export function datasetConflicts(
  { datasetSource, objectStore, photos }: Settings,
  takesExisting: boolean,
): Conflict[] {
  const conflicts: Conflict[] = [];
  if (datasetSource === "existing" && !takesExisting) {
    conflicts.push({
      what: `datasetSource is "existing" and objectStore is ${objectStore}`,
      why: "only a store that is there already can have data that is there already",
      fix: "set objectStore to s3, or datasetSource to sample",
    });
  }
  if (datasetSource === "nyc" && photos > reviewedPhotos) {
    conflicts.push({
      what: `photos is "${photos}": with datasetSource nyc it must be at most ${reviewedPhotos}`,
      why: "Food-101 has 250 reviewed photographs of each of its 101 classes",
      fix: `set photos to at most ${reviewedPhotos}, or datasetSource to sample`,
    });
  }
  return conflicts;
}

/** The keys with a value of those that are for an external store alone. */
export function setExternal(settings: Settings): string[] {
  const keys = ["s3Endpoint", "s3CaCertificates", "s3AccessKey", "s3SecretKey"] as const;
  return keys.filter((key) => settings[key] !== undefined);
}

/** For a target that starts no proxy before the store. */
export function shapedConflicts({ network, target }: Settings): Conflict[] {
  if (network === "none") return [];
  return [
    {
      what: `network is "${network}" and target is ${target}`,
      why: "only target local starts the proxy that delays the store's answers",
      fix: "set target to local, or network to none",
    },
  ];
}

/** For a target that starts a proxy before the store: engines reach that by 127.0.0.1 then. */
export function proxyConflicts(
  { network, s3Endpoint, s3PathStyle }: Settings,
  store: Pick<Store<Settings>, "name" | "external">,
): Conflict[] {
  const works = !store.external || (s3Endpoint?.startsWith("http:") && s3PathStyle);
  if (network === "none" || works) return [];
  return [
    {
      what: `network is "${network}", and objectStore is ${store.name} with https or buckets in host names`,
      why: "engines would reach the store as 127.0.0.1, which is not the name in its certificate or of a bucket",
      fix: "set network to none, or objectStore to minio; with s3, an http address and s3PathStyle work, too",
    },
  ];
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
export function startedHereConflicts(settings: Settings, machine: Machine): Conflict[] {
  const { target, sparkWorkers, sparkExecutors } = settings;
  const conflicts: Conflict[] = [];
  if (sparkWorkers > maxStartedWorkers) {
    conflicts.push({
      what: `sparkWorkers is "${sparkWorkers}": with target ${target} it must be at most ${maxStartedWorkers}`,
      why: "each worker that the target starts needs separate ports",
      fix: "set fewer sparkWorkers, with more sparkWorkerCores each",
    });
  }
  const useless = ofClusters.filter((key) => settings[key] !== undefined);
  if (useless.length > 0) {
    conflicts.push({
      what: `${useless.join(", ")} is set, but target is ${target}`,
      why: "the target starts Spark and Ray by itself, and would not use those",
      fix: "set target to cluster, or unset these settings",
    });
  }
  if (sparkExecutors > sparkWorkers) {
    conflicts.push({
      what: `sparkExecutors is "${sparkExecutors}", and sparkWorkers is ${sparkWorkers}`,
      why: "an executor takes a whole worker, so a run of Spark would wait for ever",
      fix: "set fewer sparkExecutors, or more sparkWorkers",
    });
  }
  const wanted = sparkExecutors * settings.sparkWorkerMemory + settings.rayObjectStoreMemory;
  if (wanted > machine.memoryBytes) {
    conflicts.push({
      what:
        `sparkExecutors x sparkWorkerMemory + rayObjectStoreMemory is ${size(wanted)}, ` +
        `but this machine has ${size(machine.memoryBytes)}`,
      why: "the services would be killed by the kernel when memory runs out",
      fix: "set fewer sparkExecutors, or a smaller sparkWorkerMemory or rayObjectStoreMemory",
    });
  }
  return conflicts;
}
