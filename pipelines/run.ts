import * as pulumi from "@pulumi/pulumi";
import type { Platform } from "../infra/contracts/platform";
import type { Settings } from "../infra/settings/schema";
import { generation } from "../infra/stack/records";
import { printed, step } from "../infra/stack/step";
import type { BucketNames } from "../infra/contracts/platform";
import { clusterOf, engineOf } from "./engines";
import { readProgress, readRecord } from "../results/records";
import type { RunSummary } from "../results/result";
import { runKey, type Inputs } from "../results/result";
import { coresOf } from "./runInputs";

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
  readonly stack: string;
}

/** One engine executing one workload: a Command that is replaced when its inputs change. */
export class Run extends pulumi.ComponentResource {
  /** What the stack outputs about this run. */
  readonly summary: pulumi.Output<RunSummary>;

  constructor(name: string, args: RunArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:pipelines:Run", name, {}, opts);
    const { settings, inputs, rank } = args;
    const key = runKey(inputs);
    const cluster = clusterOf(engineOf(args.engine), settings);
    const done = step(
      name,
      {
        kind: "run",
        triggers: inputs,
        spec: {
          engine: args.engine,
          cluster,
          workload: args.workload,
          key,
          generation: generation(args.stack, name, () => isUndisturbed(args.stack, name, key)),
          inputs,
          oracleKey: args.oracleKey,
          buckets: args.buckets,
          rank,
          seconds: settings.runTimeoutSeconds,
          limits: { cores: coresOf(cluster, settings), memoryBytes: settings.runMemory },
          // What the clusters have, the executor knows.
          parallelism: { threads: settings.threads, gpuWorkers: settings.gpuWorkers },
        },
      },
      { parent: this, dependsOn: opts?.dependsOn },
    );
    this.summary = printed<RunSummary>(done);
    this.registerOutputs({ key, summary: this.summary });
  }
}

/**
 * Whether nothing says that an attempt was killed since the run's result was recorded in the state.
 * One that was may have published: if its setting was taken back since, the state knows of the old
 * result alone, and the run's `update` looks which one is there.
 */
function isUndisturbed(stack: string, name: string, key: string): boolean {
  const last = readRecord(stack, name)?.summary;
  const another = last?.status === "verified" && last.key !== key;
  return readProgress(stack, name) === undefined && !another;
}
