import * as pulumi from "@pulumi/pulumi";
import type { Platform } from "../infra/contracts/platform";
import type { Settings } from "../infra/settings/schema";
import { step } from "../infra/stack/step";
import type { Buckets } from "../infra/stores/buckets";
import { workloadOf } from "../results/catalog";
import type { RunSummary } from "../results/result";
import { Dataset } from "./dataset";
import type { ChosenRun } from "./matrix";
import { oracleName, outputPlace } from "./places";
import { declareInputs, Run } from "./run";
import { oracleInputs, runInputs, type RunContext } from "./runInputs";

export interface ComparisonArgs {
  readonly chosen: readonly ChosenRun[];
  readonly settings: Settings;
  readonly platform: Platform;
  readonly buckets: Buckets;
  readonly stack: string;
  /** The datasets that the store has already, as they were seen. */
  readonly existing?: ReadonlyMap<string, string>;
}

/** The chosen runs, with the datasets and the right answers that they need. */
export class Comparison extends pulumi.ComponentResource {
  /** Summaries by `<engine>/<workload>`. */
  readonly runs: Readonly<Record<string, pulumi.Output<RunSummary>>>;

  constructor(name: string, args: ComparisonArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:pipelines:Comparison", name, {}, opts);
    const { chosen, settings, platform, buckets, stack, existing } = args;
    const context: RunContext = { ...platform, store: platform.objectStore.marker };
    const chosenWorkloads = [...new Set(chosen.map(({ workload }) => workload))];

    const datasets = makeDatasets(this);
    const oracles = makeOracles(this);
    const quiet = [
      ...platform.quiet,
      ...[...datasets.values()].map((dataset) => dataset.uploaded),
      ...oracles.values(),
    ];
    this.runs = Object.fromEntries(chosen.map((run) => makeRun(this, run)));
    this.registerOutputs({ runs: this.runs });

    function makeDatasets(parent: Comparison): Map<string, Dataset> {
      const names = new Set(chosenWorkloads.map((workload) => workloadOf(workload).dataset));
      return new Map(
        [...names].map((name) => [
          name,
          new Dataset(
            name,
            { settings, platform, buckets, stack, existing: existing?.get(name) },
            { parent },
          ),
        ]),
      );
    }

    function dataOf(workload: string): Dataset {
      return datasets.get(workloadOf(workload).dataset)!;
    }

    function makeOracles(parent: Comparison) {
      return new Map(
        chosenWorkloads.map((workload) => {
          const name = oracleName(workload);
          const inputs = oracleInputs(workload, settings, context, dataOf(workload).data);
          declareInputs(stack, name, inputs);
          const oracle = step(
            name,
            { kind: "oracle", triggers: inputs, spec: { workload, buckets: buckets.names } },
            { parent, dependsOn: [platform.python, dataOf(workload).uploaded] },
          );
          return [workload, oracle] as const;
        }),
      );
    }

    function makeRun(parent: Comparison, { engine, workload, rank }: ChosenRun) {
      const prefix = makeOutput(parent, engine, workload);
      const run = new Run(
        `${engine}/${workload}`,
        {
          engine,
          workload,
          inputs: runInputs(engine, workload, settings, context, dataOf(workload).data),
          rank,
          settings,
          platform,
          buckets: buckets.names,
          stack,
        },
        { parent, dependsOn: [prefix, ...quiet] },
      );
      return [`${engine}/${workload}`, run.summary] as const;
    }

    /**
     * Owns what one engine wrote for one workload, so that an engine taken out of the comparison takes
     * its rows along. Runs themselves have no `delete`: a new one replaces what the old one published.
     */
    function makeOutput(parent: Comparison, engine: string, workload: string): pulumi.Resource {
      const spec = { ...outputPlace(engine, workload, buckets.names), store: context.store };
      return step(
        `output-${engine}-${workload}`,
        { kind: "output-prefix", spec },
        { parent, dependsOn: buckets.all, deletedWith: platform.objectStore.data },
      );
    }
  }
}
