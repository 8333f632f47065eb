import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { canonicalJson } from "../infra/stack/files";
import type { Cluster, Platform } from "../infra/contracts/platform";
import { toolEnvironment } from "../infra/host/environment";
import { checkout } from "../infra/host/folders";
import type { InputKey, Settings } from "../infra/settings/schema";
import {
  clusterOf,
  datasets,
  engineOf,
  engines,
  fileOf,
  packageFolder,
  workloadOf,
  workloads,
  type Engine,
} from "../results/catalog";
import type { Inputs } from "../results/result";

/** What the platform gives to a key. */
export type RunContext = Pick<Platform, "environment" | "model" | "device" | "gpus"> & {
  readonly store: string;
};

/** The inputs of one run. @param data identity of the dataset that the workload reads */
export function runInputs(
  engine: string,
  workload: string,
  settings: Settings,
  context: RunContext,
  data: string,
): Inputs {
  const asksModel = workloadOf(workload).question.includes("model");
  const device = asksModel ? context.device : "cpu";
  const { decoder, settings: own } = engineOf(engine);
  const cluster = clusterOf(engineOf(engine), settings);
  return {
    ...oracleInputs(workload, settings, context, data),
    ...named(workloadOf(workload).manner, settings),
    ...named(own, settings),
    ...(device === "cuda"
      ? { gpus: String(context.gpus), ...named(["gpuWorkers"], settings) }
      : {}),
    ...tunables(engineOf(engine), settings),
    ...(asksModel && decoder ? { decoder } : {}),
    resources: resources(cluster, settings),
    cores: String(coresOf(cluster, settings)),
    runMemory: size(settings.runMemory),
    engineCode: engineCode(engine),
    device,
    ...named(["network", "measureSeconds", "maxSamples", "forks", "profile"], settings),
    ...(settings.warmup === undefined ? {} : named(["warmup"], settings)),
    ...(settings.repeats === undefined ? {} : named(["repeats"], settings)),
  };
}

/** The inputs of a workload's oracle: what decides the right answer, whoever computes it. */
export function oracleInputs(
  workload: string,
  settings: Settings,
  context: RunContext,
  data: string,
): Inputs {
  const { question } = workloadOf(workload);
  const asked = question.filter((name) => name !== "model");
  return {
    ...named(asked, settings),
    ...(asked.length < question.length ? { model: context.model } : {}),
    workloadCode: workloadCode(workload),
    coreCode: coreCode(),
    data,
    environment: context.environment,
    store: context.store,
  };
}

function named(keys: readonly InputKey[], settings: Settings): Inputs {
  return Object.fromEntries(keys.map((key) => [key, String(settings[key] ?? "")]));
}

/** What an engine is given, in words. */
function resources(cluster: Cluster, settings: Settings): string {
  const { sparkExecutors, sparkWorkerCores, sparkWorkerMemory, rayCpus, threads } = settings;
  switch (cluster) {
    case "spark":
      return `${sparkExecutors} x ${sparkWorkerCores} core ${size(sparkWorkerMemory)}`;
    case "ray":
      return `${rayCpus} cpus, object store ${size(settings.rayObjectStoreMemory)}`;
    case "none":
      return `${threads} threads`;
  }
}

/** The values of a contender's tunables, with those that the settings override. */
function tunables({ name, tunables: declared }: Engine, { tunables: given }: Settings): Inputs {
  if (declared.length === 0) return {};
  const values = Object.fromEntries(declared.map((one) => [one.name, one.value]));
  return { tunables: canonicalJson({ ...values, ...given[name] }) };
}

/** Cores that a run computes on. Runs that have other ones are not compared by their times. */
export function coresOf(cluster: Cluster, settings: Settings): number {
  const { sparkExecutors, sparkWorkerCores, rayCpus, threads } = settings;
  return { spark: sparkExecutors * sparkWorkerCores, ray: rayCpus, none: threads }[cluster];
}

function size(bytes: number): string {
  return bytes % 2 ** 30 === 0 ? `${bytes / 2 ** 30}g` : `${Math.round(bytes / 2 ** 20)}m`;
}

/** The first 16 hex digits of the SHA-256 over names and contents of files of the Python package. */
function hashFiles(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of [...files].sort()) {
    hash
      .update(`${file}\0`)
      .update(fs.readFileSync(path.join(packageFolder, file)))
      .update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

function packageFiles(folder: string): string[] {
  const all = fs.readdirSync(path.join(packageFolder, folder), {
    encoding: "utf8",
    recursive: true,
  });
  return all
    .filter((name) => /\.(py|json)$/.test(name))
    .map((name) => path.posix.join(folder, name));
}

/**
 * The files of one engine or workload: those named as it is, and those whose names begin so, such
 * as `taxi_report_oracle.py`, unless they are of another one with a longer name.
 */
function filesOf(folder: "engines" | "workloads", name: string) {
  const all =
    folder === "engines"
      ? engines().map(({ engine }) => engine)
      : workloads().map((workload) => workload.name);
  const isOf = (one: string, file: string) =>
    new RegExp(`^${folder}/${fileOf(one)}[._]`).test(file);
  const longer = all.filter((one) => one.length > name.length);
  return packageFiles(folder).filter(
    (file) => isOf(name, file) && !longer.some((one) => isOf(one, file)),
  );
}

/** Of all files of a contender's engine: its contenders may import from each other. */
export function engineCode(contender: string): string {
  return hashFiles(filesOf("engines", engineOf(contender).engine));
}

export function workloadCode(workload: string): string {
  return hashFiles(filesOf("workloads", workload));
}

/** What makes a dataset: the code of `datasets/` and of a source there but other datasets' own. */
export function datasetCode(source: string, dataset: string): string {
  const foreign = datasets()
    .filter(({ name }) => name !== dataset)
    .map(({ name }) => `datasets/${source}/${fileOf(name)}.py`);
  const own = (file: string) =>
    file.endsWith(".py") && // what a description decides is in the recipe
    !foreign.includes(file) &&
    (path.posix.dirname(file) === "datasets" || file.startsWith(`datasets/${source}/`));
  return hashFiles(packageFiles("datasets").filter(own));
}

/**
 * What every run shares: all of the package but the files of single engines and workloads, but the
 * makers of datasets, whose products are an input of their own, and but what starts a service or
 * checks a machine.
 */
export function coreCode(): string {
  const apart = new Set([
    ...engines().flatMap(({ engine }) => filesOf("engines", engine)),
    ...workloads().flatMap(({ name }) => filesOf("workloads", name)),
    "ray_node.py",
  ]);
  const shared = (file: string) => !apart.has(file) && !/^(datasets|check_gpu)\//.test(file);
  return hashFiles(packageFiles("").filter(shared));
}

/** The commit of this checkout and whether files differ from it; nulls outside of git. */
export function codeVersion(): { commit: string | null; dirty: boolean | null } {
  try {
    const git = (...args: string[]) =>
      execFileSync("git", ["-C", checkout, ...args], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
        env: toolEnvironment("git"),
      }).trim();
    return { commit: git("rev-parse", "HEAD"), dirty: git("status", "--porcelain") !== "" };
  } catch {
    return { commit: null, dirty: null };
  }
}
