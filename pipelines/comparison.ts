import * as fs from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { shortHash } from "../infra/stack/files";
import type { Platform } from "../infra/contracts/platform";
import type { Settings } from "../infra/settings/schema";
import { generation } from "../infra/stack/records";
import { printed, step } from "../infra/stack/step";
import type { Buckets } from "../infra/stores/buckets";
import { clusterOf, engineOf, workloadOf } from "../results/catalog";
import { readPrices } from "../results/efficiency";
import { confirmInputs, isConfirmed, reportFile, reportUrl, writeInputs } from "../results/records";
import { runKey, type Inputs, type RunRecord } from "../results/result";
import { Dataset } from "./dataset";
import { coresOf, oracleInputs, runInputs, type RunContext } from "./inputs";
import type { ChosenRun } from "./matrix";
import { oracleName, outputPlace } from "./places";

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
  readonly runs: Readonly<Record<string, pulumi.Output<RunRecord["summary"]>>>;

  constructor(name: string, args: ComparisonArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:pipelines:Comparison", name, {}, opts);
    const { chosen, settings, platform, buckets, stack, existing } = args;
    const context: RunContext = { ...platform, store: platform.objectStore.dataId };
    const chosenWorkloads = [...new Set(chosen.map(({ workload }) => workload))];

    const datasets = makeDatasets(this);
    const oracles = makeOracles(this);
    const quiet = [
      ...platform.quiet,
      ...[...datasets.values()].map((dataset) => dataset.inspected),
      ...oracles.values(),
    ];
    this.runs = Object.fromEntries(chosen.map((run) => makeRun(this, run)));
    this.registerOutputs({ runs: this.runs });

    function makeDatasets(parent: Comparison): Map<string, Dataset> {
      const names = new Set(chosenWorkloads.map((workload) => workloadOf(workload).dataset));
      const shared = { settings, platform, buckets, stack };
      const made = (name: string) =>
        new Dataset(name, { ...shared, existing: existing?.get(name) }, { parent });
      return new Map([...names].map((name) => [name, made(name)]));
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
            { parent, dependsOn: [platform.python, dataOf(workload).inspected] },
          );
          return [workload, oracle] as const;
        }),
      );
    }

    function makeRun(parent: Comparison, chosenRun: ChosenRun) {
      const { engine, workload } = chosenRun;
      const name = `${engine}/${workload}`;
      const prefix = makeOutput(parent, engine, workload);
      const inputs = runInputs(engine, workload, settings, context, dataOf(workload).data);
      const run = new Run(
        name,
        { ...chosenRun, inputs, settings, buckets, stack },
        { parent, dependsOn: [prefix, ...quiet] },
      );
      return [name, run.summary] as const;
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

interface RunArgs extends Pick<ComparisonArgs, "settings" | "buckets" | "stack">, ChosenRun {
  /** All that the run depends on; the run is done again exactly when one of them changes. */
  readonly inputs: Inputs;
}

/** One engine executing one workload: a Command that is replaced when its inputs change. */
class Run extends pulumi.ComponentResource {
  /** What the stack outputs about this run. */
  readonly summary: pulumi.Output<RunRecord["summary"]>;

  constructor(name: string, args: RunArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:pipelines:Run", name, {}, opts);
    const { engine, workload, rank, settings, buckets, stack, inputs } = args;
    const key = runKey(inputs);
    const cluster = clusterOf(engineOf(engine), settings);
    // The script's `update` looks which result is published.
    const confirmed = isConfirmed(stack, name);
    const known = generation(stack, name, () => confirmed, "was not confirmed");
    declareInputs(stack, name, inputs);
    const done = step(
      name,
      {
        kind: "run",
        triggers: inputs,
        spec: {
          ...{ engine, cluster, workload, rank },
          generation: known,
          buckets: buckets.names,
          seconds: settings.runTimeoutSeconds,
          limits: { cores: coresOf(cluster, settings), memoryBytes: settings.runMemory },
          // What the clusters have, the executor knows.
          threads: settings.threads,
        },
      },
      { parent: this, dependsOn: opts?.dependsOn },
    );
    this.summary = printed<RunRecord["summary"]>(done).apply((summary) => {
      if (!pulumi.runtime.isDryRun()) confirmInputs(stack, name);
      return summary;
    });
    this.registerOutputs({ key, summary: this.summary });
  }
}

/**
 * Hands the inputs to the script of a run or an oracle by a file. In the Command they are triggers
 * alone, so that a preview shows a changed one once.
 */
function declareInputs(stack: string, name: string, inputs: Inputs): void {
  if (!pulumi.runtime.isDryRun()) writeInputs(stack, name, inputs);
}

export interface ReportArgs extends Pick<ComparisonArgs, "platform" | "buckets" | "stack"> {
  /** The file that says what a machine costs. */
  readonly prices?: string;
  /** Summaries by `<engine>/<workload>`, in the order of the page. */
  readonly runs: Comparison["runs"];
}

/**
 * The page about all runs: made again when the key or the outcome of one has changed, and when it
 * was lost. It is made only when all runs have succeeded; after a failure `npm start` renders it.
 */
export class Report extends pulumi.ComponentResource {
  /** `file:` URL of the stack folder's copy. */
  readonly url: pulumi.Output<string>;

  constructor(name: string, args: ReportArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:pipelines:Report", name, {}, opts);
    const { platform, buckets, stack } = args;
    const prices = readPrices(args.prices);
    // The samples of many repeats are long: what they are is in the records, that they changed here.
    const runs = Object.entries(args.runs).map(([run, summary]) =>
      summary.apply((known) => ({ run, key: known.key, outcome: shortHash(known) })),
    );
    const page = step(
      "report-page",
      {
        kind: "report",
        spec: pulumi.all(runs).apply((all) => ({
          bucket: buckets.names.output,
          generation: generation(stack, "report-page", () => fs.existsSync(reportFile(stack))),
          runs: all,
          ...(prices && { prices }),
          store: platform.objectStore.dataId,
        })),
      },
      { parent: this, dependsOn: buckets.all },
    );
    this.url = page.stdout.apply(() => reportUrl(stack));
    this.registerOutputs({ url: this.url });
  }
}
