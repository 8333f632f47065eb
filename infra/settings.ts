import * as z from "zod";
import { mostPortOffset } from "./ports";
import {
  bucketNames,
  byRole,
  count,
  cpus,
  isFurtherConf,
  memory,
  names,
  optional,
  parseJson,
  secret,
} from "./settingValues";
import { bucketsNamed } from "./storage/names";
import { quoted, UserError } from "./userError";

/** The prefix of this project's keys in a stack's configuration. */
export const namespace = "engine-comparison";

/**
 * The settings, each from the text that Pulumi's configuration holds. Types, defaults and
 * descriptions for people are in Pulumi.yaml; here is what a value must be to make sense.
 */
const schema = z.strictObject({
  target: z.enum(["local", "docker", "cluster"]),
  gpu: z.enum(["auto", "required", "off"]),
  gpuWorkers: count(1, 64),
  engines: names,
  workloads: names,
  matrix: z.enum(["seed", "full"]),
  datasetSource: z.enum(["sample", "nyc", "existing"]),
  taxiRows: count(1000, 1_000_000_000),
  taxiMonths: count(1, 12),
  taxiYear: count(2011, 2100),
  nycMirror: optional.transform((url, context) => {
    if (url === undefined || isPlainUrl(url)) return url?.replace(/\/+$/, "");
    context.addIssue("must be an http or https address without a password or a query");
    return z.NEVER;
  }),
  photos: count(1, 1_000_000),
  fareAbove: count(-1_000_000, 1_000_000),
  batchSize: count(1, 4096),
  decode: z.enum(["native", "shared"]),
  oracleImages: count(1, 1_000_000),
  maxRejected: count(0, 1_000_000_000),
  warmup: count(0, 100),
  repeats: count(1, 1000),
  runTimeoutSeconds: count(10, 86_400),
  runMemory: memory,
  portOffset: count(0, mostPortOffset),
  sparkWorkers: count(1, 1000),
  sparkWorkerCores: count(1, 256),
  sparkWorkerMemory: memory,
  rayCpus: count(1, 1024),
  rayObjectStoreMemory: memory,
  rayCompute: z.enum(["auto", "actors", "tasks"]),
  daftRunner: z.enum(["auto", "native", "ray"]),
  modelPath: optional,
  baseImage: optional.refine(
    (image) => image === undefined || /^[a-z0-9][\w.\-/:@]*$/.test(image),
    "must be the name of an image, such as debian:bookworm-slim",
  ),
  extraCaCertificates: optional,
  containerMemory: byRole(memory),
  containerCpus: byRole(cpus),
  containerShm: byRole(memory),
  objectStore: z.enum(["auto", "minio", "s3", "aws"]),
  s3Endpoint: optional.transform((url, context) => {
    if (url === undefined) return undefined;
    if (isPlainUrl(url) && new URL(url).pathname === "/") return new URL(url).origin;
    context.addIssue("must be an http or https address without a path, a password or a query");
    return z.NEVER;
  }),
  s3Region: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "must be a region such as us-east-1"),
  s3PathStyle: z.enum(["true", "false"]).transform((text) => text === "true"),
  s3CaCertificates: optional,
  s3AccessKey: secret,
  s3SecretKey: secret,
  bucketPrefix: optional.refine(
    (prefix) => prefix === undefined || /^[a-z0-9][a-z0-9.-]{0,40}$/.test(prefix),
    "must be at most 41 lower-case letters, digits, dots and dashes",
  ),
  bucketNames,
  clusterSize: z.enum(["whole", "stated"]),
  sparkMaster: optional.refine(
    (master) => master === undefined || /^spark:\/\/[\w.-]+:\d+(,[\w.-]+:\d+)*$/.test(master),
    "must be the address of a standalone master, such as spark://master.example:7077",
  ),
  sparkMasterUi: optional.refine(
    (url) => url === undefined || (isPlainUrl(url) && new URL(url).pathname === "/"),
    "must be the address of a master's page, such as http://master.example:8080",
  ),
  sparkSecret: secret,
  sparkDriverHost: optional.refine(
    (host) => host === undefined || /^[\w.-]+$/.test(host),
    "must be a name or an address of IPv4",
  ),
  sparkDriverPort: count(1024, 65_000),
  sparkConf: z.string().transform((text, context): Record<string, string> => {
    const conf = z.record(z.string(), z.string()).safeParse(parseJson(text));
    const wrong = conf.success && Object.keys(conf.data).find((key) => !isFurtherConf(key));
    if (conf.success && wrong === undefined) return conf.data;
    context.addIssue(
      typeof wrong === "string"
        ? `has ${quoted(wrong)}, which is no setting of Spark's, or one that the program makes, or a secret`
        : "must be an object with texts as its values",
    );
    return z.NEVER;
  }),
  rayAddress: optional.refine(
    (url) => url === undefined || (isPlainUrl(url) && new URL(url).pathname === "/"),
    "must be the address of a dashboard, such as http://head.example:8265",
  ),
  rayToken: secret,
  awsTags: z.string().transform((text, context): Record<string, string> => {
    const tags = z.record(z.string().min(1), z.string()).safeParse(parseJson(text));
    if (tags.success) return tags.data;
    context.addIssue("must be an object with texts as its values");
    return z.NEVER;
  }),
  awsProtect: z.enum(["true", "false"]).transform((text) => text === "true"),
  minioRootUser: optional.refine(
    (user) => user === undefined || /^[A-Za-z0-9_.-]{3,128}$/.test(user),
    "must be 3 to 128 letters, digits, dots, dashes or underscores",
  ),
  minioRootPassword: optional.refine(
    (password) => password === undefined || /^\P{Cc}{8,128}$/u.test(password),
    "must be 8 to 128 characters long, none of them a line break or another control character",
  ),
});

/** With what depends on the target resolved. */
const resolved = schema.transform(({ daftRunner, objectStore, ...settings }) => {
  const usual = settings.target === "local" ? "native" : "ray";
  const usualStore = settings.target === "cluster" ? "aws" : "minio";
  return {
    ...settings,
    daftRunner: daftRunner === "auto" ? usual : daftRunner,
    objectStore: objectStore === "auto" ? usualStore : objectStore,
    /** Of what computes without a cluster: the same cores as Spark's workers together. */
    threads: settings.sparkWorkers * settings.sparkWorkerCores,
  } as const;
});

/** The validated settings of a stack; memory sizes are in bytes. */
export type Settings = Readonly<z.output<typeof resolved>>;

/** Each key a setting may have. */
export const settingKeys = Object.keys(schema.shape) as (keyof Settings)[];

/** Keys whose values are never told. */
const secretKeys: readonly string[] = [
  "minioRootPassword",
  "s3AccessKey",
  "s3SecretKey",
  "sparkSecret",
  "rayToken",
];

/** Lists, objects and secrets: no value of theirs is told as an input of a run. */
const notInputs = [
  "engines",
  "workloads",
  "containerMemory",
  "containerCpus",
  "containerShm",
  "bucketNames",
  "awsTags",
  "sparkConf",
  "sparkSecret",
  "rayToken",
  "minioRootUser",
  "minioRootPassword",
  "s3AccessKey",
  "s3SecretKey",
  "threads",
] as const satisfies (keyof Settings)[];

/** A setting that may be an input of a run. */
export type InputKey = Exclude<keyof Settings, (typeof notInputs)[number]>;

export const inputKeys = settingKeys.filter(
  (key): key is InputKey => !notInputs.some((one) => one === key),
);

/** What the machine has, as far as settings depend on it. */
export interface Machine {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/**
 * Validates a stack's configuration.
 *
 * @param config full keys (`engine-comparison:fareAbove`) to values as Pulumi holds them: text,
 *   with lists as JSON. Keys of other namespaces (`pulumi:`, `aws:`) are passed over.
 * @throws UserError that names every offending key with its value
 */
export function parseSettings(
  config: Readonly<Record<string, string>>,
  machine: Machine,
): Settings {
  const own = Object.entries(config)
    .filter(([key]) => key.startsWith(`${namespace}:`))
    .map(([key, value]) => [key.slice(namespace.length + 1), value] as const);
  const parsed = resolved.safeParse(Object.fromEntries(own));
  if (!parsed.success) throw wrongSettings(parsed.error, Object.fromEntries(own));
  checkDataset(parsed.data);
  checkObjectStore(parsed.data);
  checkCluster(parsed.data);
  if (parsed.data.target !== "cluster") checkMachine(parsed.data, machine);
  return parsed.data;
}

function wrongSettings(error: z.ZodError, values: Record<string, string>): UserError {
  const wrong = error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => {
        const name = /^[\w.-]{1,100}$/.test(key)
          ? `${namespace}:${key}`
          : quoted(`${namespace}:${key}`);
        return `${name} is not a setting${didYouMean(key)}`;
      });
    }
    const key = String(issue.path[0]);
    if (!(key in values)) return [`${namespace}:${key} is missing`];
    const value = secretKeys.includes(key) ? "[secret]" : quoted(values[key]);
    const told =
      issue.code === "invalid_value" ? `must be one of ${issue.values.join(", ")}` : issue.message;
    return [`${namespace}:${key} is ${value}: it ${told}`];
  });
  return new UserError(
    wrong.join("\n"),
    "nothing was touched: a stack is deployed only from settings that make sense",
    "correct it with `pulumi config set` or `--config key=value`; docs/configuration.md has every key",
  );
}

function didYouMean(key: string): string {
  const near = settingKeys.find(
    (known) => known.toLowerCase() === key.toLowerCase().replace(/[-_]/g, ""),
  );
  return near ? `; did you mean ${near}?` : "";
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

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && !(username || password || search || hash);
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
