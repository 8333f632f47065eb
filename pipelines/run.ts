import * as pulumi from "@pulumi/pulumi";
import type { Platform } from "../infra/contracts/platform";
import type { Settings } from "../infra/settings/schema";
import { generation } from "../infra/stack/records";
import { printed, step } from "../infra/stack/step";
import type { BucketNames } from "../infra/contracts/platform";
import { clusterOf, engineOf } from "../results/catalog";
import { confirmInputs, isConfirmed, writeInputs } from "../results/records";
import { runKey, type Inputs, type RunSummary } from "../results/result";
import { coresOf } from "./runInputs";

export interface RunArgs {
  readonly engine: string;
  readonly workload: string;
  /** All that the run depends on; the run is done again exactly when one of them changes. */
  readonly inputs: Inputs;
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
    // The script's `update` looks which result is published.
    const confirmed = isConfirmed(args.stack, name);
    const known = generation(args.stack, name, () => confirmed, "was not confirmed");
    declareInputs(args.stack, name, inputs);
    const done = step(
      name,
      {
        kind: "run",
        triggers: inputs,
        spec: {
          engine: args.engine,
          cluster,
          workload: args.workload,
          generation: known,
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
    this.summary = printed<RunSummary>(done).apply((summary) => {
      if (!pulumi.runtime.isDryRun()) confirmInputs(args.stack, name);
      return summary;
    });
    this.registerOutputs({ key, summary: this.summary });
  }
}

/**
 * Hands the inputs to the script of a run or an oracle by a file. In the Command they are triggers
 * alone, so that a preview tells a changed one once.
 */
export function declareInputs(stack: string, name: string, inputs: Inputs): void {
  if (!pulumi.runtime.isDryRun()) writeInputs(stack, name, inputs);
}
