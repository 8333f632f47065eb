import * as pulumi from "@pulumi/pulumi";
import type { Platform } from "../infra/platform";
import type { Settings } from "../infra/settings";
import { printed, step } from "../infra/step";
import type { BucketNames } from "../infra/storage/buckets";
import { clusterOf, engineOf } from "./engines";
import type { RunSummary } from "./result";
import { coresOf, runKey, type Inputs } from "./runInputs";

export interface RunArgs {
  readonly engine: string;
  readonly workload: string;
  /** All that the run depends on; the run is done again exactly when one of them changes. */
  readonly inputs: Inputs;
  /** Names the right answer in the store. */
  readonly oracleKey: string;
  /** Place in the order of runs, from 0. */
  readonly rank: number;
  readonly settings: Settings;
  readonly platform: Platform;
  readonly buckets: BucketNames;
}

/** One engine executing one workload: a Command that is replaced when its inputs change. */
export class Run extends pulumi.ComponentResource {
  /** What the stack outputs about this run. */
  readonly summary: pulumi.Output<RunSummary>;

  constructor(name: string, args: RunArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:pipelines:Run", name, {}, opts);
    const { settings, inputs, rank } = args;
    const cluster = clusterOf(engineOf(args.engine), settings);
    const done = step(
      name,
      {
        script: "pipelines/steps/run.ts",
        triggers: inputs,
        spec: {
          engine: args.engine,
          cluster,
          workload: args.workload,
          key: runKey(inputs),
          inputs,
          oracleKey: args.oracleKey,
          buckets: args.buckets,
          rank,
          seconds: settings.runTimeoutSeconds,
          limits: { cores: coresOf(cluster, settings), memoryBytes: settings.runMemory },
          parallelism: parallelism(settings),
        },
      },
      { parent: this, dependsOn: opts?.dependsOn },
    );
    this.summary = printed<RunSummary>(done);
    this.registerOutputs({ key: runKey(inputs), summary: this.summary });
  }
}

/** Sizes as numbers; the inputs say the same in words. What the clusters have, the executor knows. */
function parallelism(settings: Settings): Record<string, unknown> {
  return {
    threads: settings.sparkWorkers * settings.sparkWorkerCores,
    gpuWorkers: settings.gpuWorkers,
  };
}
