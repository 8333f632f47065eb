import { namespace, type Machine, type Settings } from "./schema";
import { bucketsNamed } from "./bucketNames";
import { UserError } from "../contracts/errors";

/**
 * Looks whether settings that make sense each by itself do so together, and on a machine.
 *
 * @throws UserError with what contradicts what
 */
export function checkSettings(settings: Settings, machine: Machine): void {
  checkDataset(settings);
  checkObjectStore(settings);
  checkCluster(settings);
  if (settings.target !== "cluster") checkMachine(settings, machine);
}

/** Photographs of Food-101 that its makers reviewed by hand: 250 of each of 101 classes. */
const reviewedPhotos = 101 * 250;

function checkDataset({ datasetSource, objectStore, photos }: Settings): void {
  if (datasetSource === "existing" && objectStore !== "s3") {
    throw new UserError(
      `${namespace}:datasetSource is "existing" and objectStore is ${objectStore}`,
      "only a store that is there already can have data that is there already",
      "set objectStore to s3, or datasetSource to sample",
    );
  }
  if (datasetSource === "nyc" && photos > reviewedPhotos) {
    throw new UserError(
      `${namespace}:photos is "${photos}": with datasetSource nyc it must be at most ${reviewedPhotos}`,
      "Food-101 has 250 reviewed photographs of each of its 101 classes",
      `set photos to at most ${reviewedPhotos}, or datasetSource to sample`,
    );
  }
}

/** What the settings of another store than the stack's own are for. */
const ofOtherStores = ["s3Endpoint", "s3CaCertificates", "s3AccessKey", "s3SecretKey"] as const;

function checkObjectStore(settings: Settings): void {
  const { target, objectStore } = settings;
  const other = (problem: string, why: string, fix: string) =>
    new UserError(`${namespace}:${problem}`, why, fix);
  if (objectStore === "minio" && target === "cluster") {
    throw other(
      'objectStore is "minio" and target is cluster',
      "the workers of a cluster do not reach a MinIO that listens on this machine alone",
      "set objectStore to s3 or aws",
    );
  }
  if (objectStore === "minio") {
    const useless = [
      ...ofOtherStores.filter((key) => settings[key] !== undefined),
      ...(settings.bucketPrefix === undefined ? [] : ["bucketPrefix"]),
      ...(Object.keys(settings.bucketNames).length === 0 ? [] : ["bucketNames"]),
    ];
    if (useless.length === 0) return;
    throw other(
      `${useless.join(", ")} is set, but objectStore is minio`,
      "the stack's own MinIO has its own address, keys and buckets, and would be used instead",
      "set objectStore to s3, or take these settings back",
    );
  }
  if (target === "docker") {
    throw other(
      `objectStore is "${objectStore}" and target is docker`,
      "the containers of target docker know only the MinIO beside them",
      "set target to local, or objectStore to minio",
    );
  }
  if (objectStore === "aws") return checkAws(settings);
  const missing = (["s3Endpoint", "s3AccessKey", "s3SecretKey"] as const).filter(
    (key) => settings[key] === undefined,
  );
  if (missing.length > 0) {
    throw other(
      `objectStore is "s3", but ${missing.join(", ")} is not set`,
      "the store is not the stack's own, so nothing is known of it but what is set",
      `set ${missing.join(", ")} (keys with --secret)`,
    );
  }
  if (settings.s3CaCertificates !== undefined && !settings.s3Endpoint?.startsWith("https:")) {
    throw other(
      `s3CaCertificates is set, but s3Endpoint is "${settings.s3Endpoint}"`,
      "there is no certificate to check without https, and the keys' signatures go in clear",
      "set s3Endpoint to the https address, or take s3CaCertificates back",
    );
  }
  const names = Object.values(bucketsNamed(settings.bucketPrefix, settings.bucketNames));
  if (new Set(names).size < names.length) {
    throw other(
      `bucketNames gives two purposes the same bucket: ${names.join(", ")}`,
      "what is for one would be mixed with what is for the other",
      "give each purpose a bucket of its own",
    );
  }
}

/** What the settings of clusters that are there already are for. */
const ofClusters = [
  "sparkMaster",
  "sparkMasterUi",
  "sparkSecret",
  "sparkDriverHost",
  "rayAddress",
  "rayToken",
] as const;

/** Spark workers that a target of the program's own may start: each has ports of its own. */
const mostOwnWorkers = 16;

function checkCluster(settings: Settings): void {
  const { target, gpu, sparkWorkers } = settings;
  if (target === "cluster") {
    if (gpu !== "required") return;
    throw new UserError(
      `${namespace}:gpu is "required" and target is cluster`,
      "on clusters that are there already the models run on CPUs",
      "set gpu to auto or off",
    );
  }
  if (sparkWorkers > mostOwnWorkers) {
    throw new UserError(
      `${namespace}:sparkWorkers is "${sparkWorkers}": with target ${target} it must be at most ${mostOwnWorkers}`,
      "each worker that it starts has ports of its own",
      "set fewer sparkWorkers, with more sparkWorkerCores each",
    );
  }
  const useless = [
    ...ofClusters.filter((key) => settings[key] !== undefined),
    ...(Object.keys(settings.sparkConf).length === 0 ? [] : ["sparkConf"]),
  ];
  if (useless.length === 0) return;
  throw new UserError(
    `${namespace}:${useless.join(", ")} is set, but target is ${target}`,
    "the target starts Spark and Ray by itself, and would not use those",
    "set target to cluster, or take these settings back",
  );
}

/** For how long keys of AWS hold that a run is given. */
const awsSessionSeconds = 3600;

function checkAws(settings: Settings): void {
  const useless = ofOtherStores.filter((key) => settings[key] !== undefined);
  if (useless.length > 0) {
    throw new UserError(
      `${namespace}:${useless.join(", ")} is set, but objectStore is "aws"`,
      "AWS is reached at its own address, with credentials by its usual chain",
      "set objectStore to s3, or take these settings back",
    );
  }
  if (settings.runTimeoutSeconds > awsSessionSeconds) {
    throw new UserError(
      `${namespace}:runTimeoutSeconds is "${settings.runTimeoutSeconds}", and objectStore is "aws"`,
      `a run is given keys of AWS that hold for ${awsSessionSeconds} s`,
      `set runTimeoutSeconds to ${awsSessionSeconds} or less`,
    );
  }
}

function checkMachine(settings: Settings, machine: Machine): void {
  const spark = settings.sparkWorkers * settings.sparkWorkerMemory;
  const wanted = spark + settings.rayObjectStoreMemory;
  if (wanted > machine.memoryBytes) {
    throw new UserError(
      `${namespace}:sparkWorkers x sparkWorkerMemory + rayObjectStoreMemory is ${gib(wanted)}, ` +
        `but this machine has ${gib(machine.memoryBytes)}`,
      "the services would be killed by the kernel when memory runs out",
      "set fewer sparkWorkers, or a smaller sparkWorkerMemory or rayObjectStoreMemory",
    );
  }
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
