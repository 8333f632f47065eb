import * as z from "zod";
import { mostPortOffset } from "./ports";
import { quoted, UserError } from "./userError";

/** The prefix of this project's keys in a stack's configuration. */
export const namespace = "engine-comparison";

/** The roles of target docker's containers. */
export const containerRoles = [
  "minio",
  "spark-master",
  "spark-worker",
  "ray-head",
  "ray-worker",
  "app",
] as const;
export type ContainerRole = (typeof containerRoles)[number];

const memory = z
  .string()
  .regex(/^[1-9]\d*[mg]$/, "must be a size such as 1536m or 2g")
  .transform((text) => Number(text.slice(0, -1)) * (text.endsWith("g") ? 2 ** 30 : 2 ** 20));

const count = (least: number, most: number) =>
  z
    .string()
    .regex(/^-?\d+$/, "must be a whole number")
    .transform(Number)
    .refine((n) => n >= least && n <= most, `must be from ${least} to ${most}`);

/** A list of names as JSON; whether there are such things, those who have them know. */
const names = z.string().transform((text, context): string[] => {
  const list = z.array(z.string().min(1)).safeParse(parseJson(text));
  if (list.success && new Set(list.data).size === list.data.length) return list.data;
  context.addIssue("must be a list of different names");
  return z.NEVER;
});

/** A map from the roles of containers to values, as JSON; a role that is not in it has no value. */
const byRole = <Schema extends z.ZodType<unknown, string>>(value: Schema) =>
  z.string().transform((text, context): Partial<Record<ContainerRole, z.output<Schema>>> => {
    const entries = z.partialRecord(z.enum(containerRoles), z.coerce.string().pipe(value));
    const map = entries.safeParse(parseJson(text));
    if (map.success) return map.data;
    const [first] = map.error.issues;
    context.addIssue(
      first.path.length > 0 && first.code !== "unrecognized_keys"
        ? `${first.message} for ${String(first.path[0])}`
        : `must be an object with some of the keys ${containerRoles.join(", ")}`,
    );
    return z.NEVER;
  });

const cpus = z
  .string()
  .regex(/^\d+(\.\d{1,2})?$/, "must be a number of CPUs such as 2 or 1.5")
  .transform(Number)
  .refine((n) => n >= 0.1, "must be at least 0.1 CPUs");

/** What has no value of its own until a target or a stack gives it one. */
const optional = z.string().transform((text) => (text === "" ? undefined : text));

/**
 * The settings, each from the text that Pulumi's configuration holds. Types, defaults and
 * descriptions for people are in Pulumi.yaml; here is what a value must be to make sense.
 */
const schema = z.strictObject({
  target: z.enum(["local", "docker"]),
  gpu: z.enum(["auto", "required", "off"]),
  gpuWorkers: count(1, 64),
  engines: names,
  workloads: names,
  matrix: z.enum(["seed", "full"]),
  datasetSource: z.enum(["sample", "nyc"]),
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
  maxRejected: count(0, 1_000_000_000),
  warmup: count(0, 100),
  repeats: count(1, 1000),
  runTimeoutSeconds: count(10, 86_400),
  runMemory: memory,
  portOffset: count(0, mostPortOffset),
  sparkWorkers: count(1, 16),
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
const resolved = schema.transform(({ daftRunner, ...settings }) => {
  const usual = settings.target === "local" ? "native" : "ray";
  return { ...settings, daftRunner: daftRunner === "auto" ? usual : daftRunner } as const;
});

/** The validated settings of a stack; memory sizes are in bytes. */
export type Settings = Readonly<z.output<typeof resolved>>;

/** Each key a setting may have. */
export const settingKeys = Object.keys(schema.shape) as (keyof Settings)[];

/** Keys whose values are never told. */
const secretKeys: readonly string[] = ["minioRootPassword"];

/** Lists, objects and secrets: no value of theirs is told as an input of a run. */
const notInputs = [
  "engines",
  "workloads",
  "containerMemory",
  "containerCpus",
  "containerShm",
  "minioRootUser",
  "minioRootPassword",
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
  checkMachine(parsed.data, machine);
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

function checkDataset({ datasetSource, photos }: Settings): void {
  if (datasetSource === "nyc" && photos > reviewedPhotos) {
    throw new UserError(
      `${namespace}:photos is "${photos}": with datasetSource nyc it must be at most ${reviewedPhotos}`,
      "Food-101 has 250 reviewed photographs of each of its 101 classes",
      `set photos to at most ${reviewedPhotos}, or datasetSource to sample`,
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
