import * as fs from "node:fs";
import * as path from "node:path";
import * as z from "zod";
import { UserError } from "../infra/contracts/errors";
import { bucketPurposes, clusters, type Cluster } from "../infra/contracts/platform";
import { checkout } from "../infra/host/folders";
import { inputKeys, settingKeys, type Settings } from "../infra/settings/schema";

/**
 * What engines, workloads and datasets say of themselves: a JSON file beside the Python code of
 * each, which the jobs read too (engine_comparison/describe.py). Nothing else lists them.
 */

export const packageFolder = path.join(checkout, "pipelines", "engine_comparison");

/** Where the settings let a dataset come from, besides the store itself. */
export type Source = Exclude<Settings["datasetSource"], "existing">;
const sources = ["sample", "nyc"] as const satisfies Source[];

/** The settings that say on what something runs. */
const runners = inputKeys.filter((key) => key.endsWith("Runner"));

const text = z.string().min(1, { error: () => "must not be empty" });
const order = z.int().optional();

const scalar = z.union([z.string(), z.number(), z.boolean()]);
export type Scalar = z.output<typeof scalar>;

/** A departure of a contender from what its engine does by default. */
const tunable = z.strictObject({
  name: text,
  /** What the contender sets; the setting `tunables` may override it. */
  value: scalar,
  /** What the engine has without it; null where it has nothing. */
  default: scalar.nullable(),
  /** In one line. */
  why: text,
  /** A link, or the page of a finding. */
  source: text,
});

/** A contender: an engine that is used in one way. */
const engine = z.strictObject({
  /** As people write it. */
  label: text,
  /** The engine, whose contenders are a family: `ray-tuned` is of `ray`. */
  engine: text,
  /** As the engine's guide has it, tuned, or in another way. */
  use: z.enum(["documented", "tuned", "other"]),
  /** What it computes on besides its job's process, or the setting that says so. */
  cluster: z.enum([...clusters, ...runners]),
  /** The settings that are inputs of its runs alone. */
  settings: z.array(z.enum(inputKeys)),
  /** The Python distributions whose versions a result states. */
  packages: z.array(text),
  /** Those that it has a method for. */
  workloads: z.array(text).min(1, { error: () => "must name a workload" }),
  /** What it decodes images with. Answers of `pillow` are compared exactly. */
  decoder: z.enum(["pillow", "own"]).optional(),
  /** Workloads that it cannot do, and why. */
  unsupported: z.record(z.string(), text).default({}),
  /** Why it does not survive a corrupt image, if it does not. */
  corruptImages: text.optional(),
  /** Why it does not write to a store that takes no checksums, if it does not. */
  checksums: text.optional(),
  /** Why it does not survive a PNG with a long or broken text or profile, if it does not. */
  longTexts: text.optional(),
  /** Why it does not see images with names of hidden files, if it does not. */
  hiddenNames: text.optional(),
  /** Workloads in which it does not survive a dataset without rows, and why. */
  noRows: z.record(z.string(), text).default({}),
  /** The page of the engine's documentation that each workload follows. */
  guides: z.record(z.string(), z.url({ protocol: /^https$/ })).default({}),
  tunables: z.array(tunable).default([]),
  /** The one of its workloads that `matrix: seed` has. */
  seed: text.optional(),
  order,
  /** The workloads in which the others are compared with it. */
  reference: z.array(text).default([]),
});

const workload = z.strictObject({
  /** As people write it. */
  title: text,
  /** What goes in. */
  unit: z.strictObject({ one: text, many: text }),
  dataset: text,
  /** Where its output goes: `<bucket>/<prefix>/engine=<engine>/run=<key>/`. */
  purpose: z.enum(bucketPurposes),
  prefix: text,
  /** What decides the right answer: settings, and `model` for the model's file. */
  question: z.array(z.enum(["model", ...inputKeys])),
  /** The settings that only decide how a run gets there. */
  manner: z.array(z.enum(inputKeys)),
  /** What a run takes on two cores, where none was carried out before. */
  usualSeconds: z.int().positive(),
  /** For the report. */
  sentences: z.strictObject({
    /** What is done; `{name}` is replaced by a part that states the value of that input. */
    what: z.strictObject({
      text,
      parts: z.record(z.string(), z.strictObject({ known: text, unknown: z.string() })),
    }),
    judged: text,
  }),
  order,
});

/** Where a value comes from that decides what is in a dataset. */
const origin = z.union(
  [
    z.strictObject({ value: text }),
    /** The name of the dataset's bucket. */
    z.strictObject({ bucket: z.literal(true) }),
    /** A setting, with the path below it if it is set, and the value if it is not. */
    z.strictObject({
      setting: z.enum(settingKeys),
      below: text.optional(),
      default: text.optional(),
    }),
  ],
  { error: () => 'must be {"value": ...}, {"bucket": true} or {"setting": ...}' },
);

const dataset = z.strictObject({
  title: text,
  bucket: z.enum(bucketPurposes),
  /** The prefixes there that belong to it alone. */
  owns: z.array(text).min(1, { error: () => "must name a prefix" }),
  /** All that decides what is in it, by source, besides the code that makes it. */
  settings: z.partialRecord(z.enum(sources), z.record(z.string(), origin)),
});

/** What the files may say, by kind. */
export const catalogSchemas = { engine, workload, dataset };

interface Named {
  /** That of its files, with dashes for underscores: `taxi-report` of `taxi_report.json`. */
  readonly name: string;
}
export type Engine = Named & Readonly<z.output<typeof engine>>;
export type Workload = Named & Readonly<z.output<typeof workload>>;
export type Dataset = Named & Readonly<z.output<typeof dataset>>;

let found: ReturnType<typeof readCatalog> | undefined;
const catalog = () => (found ??= readCatalog(packageFolder));

/** Every engine, in the order of their files' `order`, then of their names. */
export const engines = () => catalog().engines;
/** Every workload, in the same order. */
export const workloads = () => catalog().workloads;
/** Every dataset, in the same order. */
export const datasets = () => catalog().datasets;

/** @throws RangeError for a name that no engine has */
export const engineOf = (name: string) => named(engines(), name);
/** @throws RangeError for a name that no workload has */
export const workloadOf = (name: string) => named(workloads(), name);
/** @throws RangeError for a name that no dataset has */
export const datasetOf = (name: string) => named(datasets(), name);

function named<T extends Named>(all: readonly T[], name: string): T {
  const one = all.find((each) => each.name === name);
  if (!one) throw new RangeError(`no ${name} in ${all.map((each) => each.name).join(", ")}`);
  return one;
}

/** The contender that the others are compared with in a workload, if there is one. */
export function referenceOf(workload: string): Engine | undefined {
  return engines().find(({ reference }) => reference.includes(workload));
}

/** What an engine computes on. Where a setting says so, it says `native` for no cluster. */
export function clusterOf({ cluster }: Engine, settings: Settings): Cluster {
  const on: unknown = isCluster(cluster) ? cluster : settings[cluster];
  return isCluster(on) ? on : "none";
}

function isCluster(name: unknown): name is Cluster {
  return clusters.some((cluster) => cluster === name);
}

/**
 * Reads all descriptions in a Python package.
 *
 * @throws UserError for a file that does not say what it should, naming file and key
 */
export function readCatalog(folder: string) {
  const datasets = read(path.join(folder, "datasets"), dataset, ({ name, settings }) =>
    Object.keys(settings).map((source) => `${source}/${name}`),
  );
  const workloads = read(path.join(folder, "workloads"), workload, ({ name }) => [name]);
  const engines = read(path.join(folder, "engines"), engine, ({ name }) => [name]);
  const check = (kind: string, { name }: Named, key: string, values: string[], known: Named[]) => {
    const names = known.map((one) => one.name);
    const wrong = values.find((value) => !names.includes(value));
    if (wrong === undefined) return;
    const file = path.join(folder, kind, fileOf(name) + ".json");
    throw refusal(file, `"${wrong}" as "${key}"`, `write one of ${names.join(", ")}`);
  };
  for (const one of workloads) check("workloads", one, "dataset", [one.dataset], datasets);
  for (const one of engines) {
    check("engines", one, "workloads", one.workloads, workloads);
    const own = workloads.filter(({ name }) => one.workloads.includes(name));
    const others = workloads.filter((each) => !own.includes(each));
    check("engines", one, "seed", one.seed === undefined ? [] : [one.seed], own);
    check("engines", one, "reference", one.reference, own);
    check("engines", one, "guides", Object.keys(one.guides), own);
    check("engines", one, "noRows", Object.keys(one.noRows), own);
    check("engines", one, "unsupported", Object.keys(one.unsupported), others);
    checkFamily(folder, one, own);
  }
  return { engines: engines.map(withRunner), workloads, datasets };
}

/** @throws UserError for a contender whose name, guides or decoder do not fit what it is */
function checkFamily(folder: string, one: Engine, own: readonly Workload[]): void {
  const { name, engine, decoder } = one;
  const file = path.join(folder, "engines", fileOf(name) + ".json");
  if (name !== engine && !name.startsWith(`${engine}-`)) {
    throw refusal(file, `"${engine}" as "engine"`, `write what its name begins with`);
  }
  const unguided = one.workloads.find((workload) => one.guides[workload] === undefined);
  if (one.use === "documented" && unguided !== undefined) {
    const what = `no "guides.${unguided}" and "documented" as "use"`;
    throw refusal(file, what, "link the page of the engine's guide that it follows");
  }
  const decodes = own.some(({ question }) => question.includes("model"));
  if (decodes === (decoder !== undefined)) return;
  throw decodes
    ? refusal(file, 'no "decoder"', "write pillow or own")
    : refusal(file, `"${decoder}" as "decoder" and no image workload`, "remove the key");
}

/** The setting that says where an engine computes is an input of its runs. */
function withRunner(one: Engine): Engine {
  const { cluster, settings } = one;
  return isCluster(cluster) ? one : { ...one, settings: [...settings, cluster] };
}

/** @param code the Python files, without `.py`, that have to be beside a description */
function read<T extends object>(
  folder: string,
  schema: z.ZodType<T>,
  code: (one: Named & T) => string[],
): (Named & T)[] {
  const files = fs.readdirSync(folder).filter((name) => name.endsWith(".json"));
  const all = files.sort().map((name) => {
    const file = path.join(folder, name);
    if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)*\.json$/.test(name)) {
      throw refusal(file, "a name that is not of lower-case letters and digits", "rename it");
    }
    const one = { name: name.slice(0, -5).replaceAll("_", "-"), ...parse(file, schema) };
    const missing = code(one).find((of) => !fs.existsSync(path.join(folder, fileOf(of) + ".py")));
    if (missing === undefined) return one;
    throw refusal(file, `no ${fileOf(missing)}.py beside it`, "write that file");
  });
  const place = (one: object) => (one as { order?: number }).order ?? Infinity;
  return all.sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
}

/** The name of what a file, without its ending, has. */
export function fileOf(name: string): string {
  return name.replaceAll("-", "_");
}

function parse<T>(file: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(fs.readFileSync(file, "utf8"));
  } catch (error) {
    throw refusal(file, `no JSON (${(error as Error).message})`, "write a JSON object");
  }
  const { data, error } = schema.safeParse(value);
  if (!error) return data;
  const [issue] = error.issues;
  const unknown = issue.code === "unrecognized_keys" ? issue.keys : [];
  const key = [...issue.path, ...unknown].join(".");
  throw refusal(file, `a wrong "${key}": ${issue.message}`, "correct it");
}

function refusal(file: string, what: string, fix: string): UserError {
  return new UserError(
    `${path.relative(checkout, file)} has ${what}`,
    "it describes the code beside it, to this program and to the jobs",
    `${fix} (docs/adding-an-engine.md lists the keys), or remove the file`,
  );
}
