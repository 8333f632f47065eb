import { canonicalJson } from "../infra/stack/files";
import type { Cluster, Platform } from "../infra/contracts/platform";
import type { InputKey, Settings } from "../infra/settings/schema";
import type { Inputs } from "../results/result";
import { clusterOf, engineOf, workloadOf } from "../results/catalog";
import { coreCode, engineCode, workloadCode } from "./code";

/** What the platform gives to a key. */
export type RunContext = Pick<Platform, "environment" | "model" | "device"> & {
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
  const device = workloadOf(workload).question.includes("model") ? context.device : "cpu";
  const cluster = clusterOf(engineOf(engine), settings);
  return {
    ...oracleInputs(workload, settings, context, data),
    ...named(workloadOf(workload).manner, settings),
    ...named(engineOf(engine).settings, settings),
    ...(device === "cuda" ? named(["gpuWorkers"], settings) : {}),
    resources: resources(cluster, settings),
    ...furtherConf(cluster, settings),
    cores: String(coresOf(cluster, settings)),
    runMemory: size(settings.runMemory),
    engineCode: engineCode(engine),
    device,
    warmup: String(settings.warmup),
    repeats: String(settings.repeats),
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
  const { sparkWorkers, sparkWorkerCores, sparkWorkerMemory, rayCpus, threads } = settings;
  switch (cluster) {
    case "spark":
      return `${sparkWorkers} x ${sparkWorkerCores} core ${size(sparkWorkerMemory)}`;
    case "ray":
      return `${rayCpus} cpus, object store ${size(settings.rayObjectStoreMemory)}`;
    case "none":
      return `${threads} threads`;
  }
}

/** What an existing Spark is configured to do in another way. */
function furtherConf(cluster: Cluster, { sparkConf }: Settings): Inputs {
  return cluster === "spark" && Object.keys(sparkConf).length > 0
    ? { sparkConf: canonicalJson(sparkConf) }
    : {};
}

/** Cores that a run computes on. Runs that have other ones are not compared by their times. */
export function coresOf(cluster: Cluster, settings: Settings): number {
  const { sparkWorkers, sparkWorkerCores, rayCpus, threads } = settings;
  return { spark: sparkWorkers * sparkWorkerCores, ray: rayCpus, none: threads }[cluster];
}

function size(bytes: number): string {
  return bytes % 2 ** 30 === 0 ? `${bytes / 2 ** 30}g` : `${Math.round(bytes / 2 ** 20)}m`;
}
