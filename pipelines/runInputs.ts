import { shortHash } from "../infra/canonical";
import type { Platform } from "../infra/platform";
import type { Settings } from "../infra/settings";
import { coreCode, engineCode, workloadCode } from "./codeHash";
import { engines, workloads, type EngineName, type WorkloadName } from "./workloads";

/**
 * All that a run or an oracle depends on, as plain strings known when the program runs, so that a
 * preview shows what changed by name and value. No address, port, path or id is in it.
 */
export type Inputs = Readonly<Record<string, string>>;

/** The run key: a hash of exactly the run's inputs, 16 hex digits. */
export function runKey(inputs: Inputs): string {
  return shortHash(inputs);
}

/** What the platform gives to a key. */
export type Ground = Pick<Platform, "environment" | "model" | "device"> & {
  readonly store: string;
};

/** The inputs of one run. @param data identity of the dataset that the workload reads */
export function runInputs(
  engine: EngineName,
  workload: WorkloadName,
  settings: Settings,
  ground: Ground,
  data: string,
): Inputs {
  return {
    ...oracleInputs(workload, settings, ground, data),
    ...workloads[workload].manner(settings),
    ...engineSettings(engine, settings),
    engineCode: engineCode(engine),
    device: workloads[workload].usesModel ? ground.device : "cpu",
    warmup: String(settings.warmup),
    repeats: String(settings.repeats),
  };
}

/** The inputs of a workload's oracle: what decides the right answer, whoever computes it. */
export function oracleInputs(
  workload: WorkloadName,
  settings: Settings,
  ground: Ground,
  data: string,
): Inputs {
  return {
    ...workloads[workload].question(settings),
    ...(workloads[workload].usesModel ? { model: ground.model } : {}),
    workloadCode: workloadCode(workload),
    coreCode: coreCode(engines, Object.keys(workloads)),
    data,
    environment: ground.environment,
    store: ground.store,
  };
}

/** The resources an engine is given, in words, and the settings that are its own. */
function engineSettings(engine: EngineName, settings: Settings): Inputs {
  const threads = settings.sparkWorkers * settings.sparkWorkerCores;
  switch (engine) {
    case "spark":
      return {
        resources: `${settings.sparkWorkers} x ${settings.sparkWorkerCores} core ${size(settings.sparkWorkerMemory)}`,
      };
    case "ray":
      return {
        resources: `${settings.rayCpus} cpus, object store ${size(settings.rayObjectStoreMemory)}`,
        rayCompute: settings.rayCompute,
        gpuWorkers: String(settings.gpuWorkers),
      };
    case "daft":
      return { resources: `${threads} threads`, daftRunner: daftRunner(settings) };
    case "baseline":
      return { resources: `${threads} threads` };
  }
}

/** Daft's runner with `auto` resolved. */
export function daftRunner(settings: Settings): "native" | "ray" {
  if (settings.daftRunner !== "auto") return settings.daftRunner;
  return settings.target === "local" ? "native" : "ray";
}

function size(bytes: number): string {
  return bytes % 2 ** 30 === 0 ? `${bytes / 2 ** 30}g` : `${Math.round(bytes / 2 ** 20)}m`;
}
