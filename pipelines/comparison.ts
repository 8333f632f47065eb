import * as fs from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { shortHash, stackFiles } from "../infra/stack/files";
import { generation } from "../infra/stack/records";
import { printed, step } from "../infra/stack/step";
import { clusterOf, engineOf, workloadOf } from "../results/catalog";
import { readPrices } from "../results/efficiency";
import { confirmInputs, isConfirmed, reportUrl, writeInputs } from "../results/records";
import { runKey, type Inputs, type RunRecord } from "../results/result";
import { Dataset, type PipelineArgs } from "./dataset";
import { coresOf, oracleInputs, runInputs, type RunContext } from "./inputs";
import type { ChosenRun } from "./matrix";
import { oracleName, outputPlace } from "./places";

/** A run's summary, by `<engine>/<workload>`. */
export type Summaries = Readonly<Record<string, pulumi.Output<RunRecord["summary"]>>>;

interface ComparisonArgs extends PipelineArgs {
  readonly chosen: readonly ChosenRun[];
  /** The datasets that the store has already, as they were seen. */
  readonly existing?: ReadonlyMap<string, string>;
}

/** Declares the chosen runs, with the datasets and the right answers that they need. */
export function declareRuns(args: ComparisonArgs): Summaries {
  const { chosen, settings, platform, buckets, stack, existing } = args;
  const context: RunContext = { ...platform, store: platform.objectStore.dataId };
  const workloads = [...new Set(chosen.map(({ workload }) => workload))];
  const shared = { settings, platform, buckets, stack };

  const names = new Set(workloads.map((workload) => workloadOf(workload).dataset));
  const datasets = new Map(
    [...names].map((name) => {
      return [name, new Dataset(name, { ...shared, existing: existing?.get(name) })] as const;
    }),
  );
  const dataOf = (workload: string) => datasets.get(workloadOf(workload).dataset)!;

  const oracles = workloads.map((workload) => {
    const name = oracleName(workload);
    const inputs = oracleInputs(workload, settings, context, dataOf(workload).data);
    // For the script: in the Command they are triggers alone, so that a preview shows a change once.
    if (!pulumi.runtime.isDryRun()) writeInputs(stack, name, inputs);
    return step(
      name,
      { kind: "oracle", triggers: inputs, spec: { workload, buckets: buckets.names } },
      { dependsOn: [platform.python, dataOf(workload).inspected] },
    );
  });

  const inspected = [...datasets.values()].map((dataset) => dataset.inspected);
  const after = [...platform.quiet, ...inspected, ...oracles];
  return Object.fromEntries(
    chosen.map((run) => {
      const { engine, workload } = run;
      const name = `${engine}/${workload}`;
      const inputs = runInputs(engine, workload, settings, context, dataOf(workload).data);
      const { summary } = new Run(name, { run, inputs, after, ...shared });
      return [name, summary];
    }),
  );
}

export interface RunArgs extends PipelineArgs {
  /** What is run. @example { engine: "spark", workload: "taxi-report", rank: 0, seed: true } */
  readonly run: ChosenRun;
  /** What it depends on; it is done again when one changes. @example { fareAbove: "30" } */
  readonly inputs: Inputs;
  /** What exists before, for a quiet machine. @example [...platform.quiet, dataset.inspected] */
  readonly after: readonly pulumi.Resource[];
}

/** One engine executing one workload: a Command that is replaced when its inputs change. */
export class Run extends pulumi.ComponentResource {
  /** What the stack outputs about this run. */
  readonly summary: pulumi.Output<RunRecord["summary"]>;

  constructor(name: string, args: RunArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:pipelines:Run", name, {}, opts);
    const { settings, platform, buckets, stack, inputs, after } = args;
    const { engine, workload, rank } = args.run;
    const { dataId, data } = platform.objectStore;

    // Owns what the engine wrote for the workload, so that an engine taken out of the comparison takes
    // its rows along. The run has no `delete`: a new one replaces what the old one published.
    const place = outputPlace(engine, workload, buckets.names, settings.datasetSource);
    const output = step(
      `${name}-output`,
      { kind: "output-prefix", spec: { ...place, store: dataId } },
      { parent: this, dependsOn: buckets.all, deletedWith: data },
    );

    const cluster = clusterOf(engineOf(engine), settings);
    const lacksChecksums = !settings.s3Checksums && engineOf(engine).checksums !== undefined;
    // The script's `update` looks which result is published.
    const confirmed = isConfirmed(stack, name);
    const known = generation(stack, name, () => confirmed, "was not confirmed");
    if (!pulumi.runtime.isDryRun()) writeInputs(stack, name, inputs);
    const done = step(
      name,
      {
        kind: "run",
        triggers: inputs,
        spec: {
          ...{ engine, cluster, workload, rank },
          generation: known,
          buckets: buckets.names,
          output: place,
          seconds: settings.runTimeoutSeconds,
          limits: { cores: coresOf(cluster, settings), memoryBytes: settings.runMemory },
          outOfMemory: settings.outOfMemory,
          // What the clusters have, the executor knows.
          threads: settings.threads,
          // Of all that `whyNot` decides by, the one that is no input: the script's `update` asks it.
          ...(lacksChecksums ? { checksums: false } : {}),
        },
      },
      { parent: this, dependsOn: [output, ...after] },
    );
    this.summary = printed<RunRecord["summary"]>(done).apply((summary) => {
      if (!pulumi.runtime.isDryRun()) confirmInputs(stack, name);
      return summary;
    });
    this.registerOutputs({ key: runKey(inputs), summary: this.summary });
  }
}

export interface ReportArgs extends Omit<PipelineArgs, "settings"> {
  /** The file of a machine's price. @default no prices @example "docs/prices.example.json" */
  readonly prices?: string;
  /** Summaries, in the order of the page. @example declareRuns({ chosen, ...shared }) */
  readonly runs: Summaries;
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
    const pageName = `${name}-page`;
    const page = step(
      pageName,
      {
        kind: "report",
        spec: pulumi.all(runs).apply((all) => ({
          bucket: buckets.names.output,
          generation: generation(stack, pageName, () => fs.existsSync(stackFiles(stack).report)),
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
