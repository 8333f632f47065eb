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
} from "./values";
import { quoted } from "../contracts/errors";

/** The prefix of this project's keys in a stack's configuration. */
export const namespace = "engine-comparison";

/**
 * The settings, each from the text that Pulumi's configuration holds. Types, defaults and
 * descriptions for people are in Pulumi.yaml; here is what a value must be to make sense.
 */
const schema = z.strictObject({
  target: z.string(),
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
  objectStore: z.string(),
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

/** The settings as they are asked for; {@link schema} knows no target and no store by name. */
export const settingsSchema = schema;
export type AskedSettings = Readonly<z.output<typeof schema>>;

/** The validated settings of a stack, with `auto` resolved by its target; memory sizes are in bytes. */
export type Settings = Omit<AskedSettings, "daftRunner"> & {
  readonly daftRunner: Exclude<AskedSettings["daftRunner"], "auto">;
  /** Of what computes without a cluster: the same cores as Spark's workers together. */
  readonly threads: number;
};

/** Each key a setting may have. */
export const settingKeys = Object.keys(schema.shape) as (keyof AskedSettings)[];

/** Keys whose values are never told. */
export const secretKeys: readonly string[] = [
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

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && !(username || password || search || hash);
}
