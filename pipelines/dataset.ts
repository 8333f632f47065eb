import * as fs from "node:fs";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { shortHash } from "../infra/stack/files";
import { UserError } from "../infra/contracts/errors";
import type { Platform } from "../infra/contracts/platform";
import { datasetFolder } from "../infra/host/folders";
import type { Settings } from "../infra/settings/schema";
import { generation } from "../infra/stack/records";
import { storeNamed } from "../infra/stores";
import { step } from "../infra/stack/step";
import type { Buckets } from "../infra/stores/buckets";
import { datasetOf, workloadOf, type Source } from "../results/catalog";
import { coreCode, datasetCode } from "./inputs";
import type { ChosenRun } from "./matrix";
import { inspectionStep, makingStep, uploadStep } from "./places";
import { existingListing } from "./stored";

/** All that a dataset follows from, known before it is made. */
export interface Recipe {
  readonly dataset: string;
  readonly source: Source;
  readonly settings: Readonly<Record<string, string>>;
  /** Hash of the code that makes it. */
  readonly code: string;
}

/** What a dataset of the settings follows from. @param bucket the name of the bucket it goes to */
export function recipeOf(name: string, settings: Settings, bucket: string): Recipe {
  const source = settings.datasetSource;
  if (source === "existing") throw new RangeError("existing data has no recipe");
  const origins = datasetOf(name).settings[source];
  if (!origins) {
    throw new UserError(
      `datasetSource is ${source}, and the dataset ${name} cannot be had from there`,
      "a workload that is to run reads it",
      `set datasetSource to one of ${Object.keys(datasetOf(name).settings).join(", ")}, or choose other workloads`,
    );
  }
  const values = Object.entries(origins).map(([key, origin]) => {
    if ("value" in origin) return [key, origin.value];
    if ("bucket" in origin) return [key, bucket];
    const value = settings[origin.setting] as string | number | boolean | undefined;
    if (value === undefined) return [key, origin.default ?? ""];
    return [key, [value, ...(origin.below ? [origin.below] : [])].join("/")];
  });
  return {
    dataset: name,
    source,
    settings: Object.fromEntries(values) as Record<string, string>,
    code: datasetCode(source, name),
  };
}

/**
 * With `datasetSource: existing`, looks at what the store has of the datasets that runs read.
 *
 * @returns the hash of each dataset's listing; undefined with any other source
 * @throws UserError where there is nothing, or the stack itself has put it there
 */
export async function lookAtExisting(
  stack: string,
  settings: Settings,
  chosen: readonly ChosenRun[],
): Promise<ReadonlyMap<string, string> | undefined> {
  if (settings.datasetSource !== "existing") return undefined;
  const store = storeNamed(settings.objectStore);
  const names = [...new Set(chosen.map(({ workload }) => workloadOf(workload).dataset))];
  const seen = names.map(async (name) => {
    const { bucket } = datasetOf(name);
    const { hash } = await existingListing(stack, name, (prefixes) =>
      store.existing!(settings, bucket, prefixes),
    );
    return [name, hash] as const;
  });
  return new Map(await Promise.all(seen));
}

/** What datasets, runs and the report are declared on. */
export interface PipelineArgs {
  /** The settings, with clusters' own size. @example readSettings(pulumi.runtime.allConfig()) */
  readonly settings: Settings;
  /** What the target has started. @example prepared.declare(declareStack(id)) */
  readonly platform: Platform;
  /** Where all data goes. @example new Buckets("buckets", { objectStore, prefixes }) */
  readonly buckets: Buckets;
  /** The stack's name, by which its folder is found. @example pulumi.getStack() */
  readonly stack: string;
}

export interface DatasetArgs extends PipelineArgs {
  /** What the store has already. @default it is made and uploaded @example "0123456789ab" */
  readonly existing?: string;
}

/**
 * A declared set of files: made in the cache from a spec that is known beforehand, and uploaded by
 * the manifest that making it wrote.
 */
export class Dataset extends pulumi.ComponentResource {
  /** Identity of the dataset: a hash of its settings and of the code that makes it. */
  readonly data: string;
  /** Done when the store holds exactly this dataset, and it was found that all can read it alike. */
  readonly inspected: pulumi.Resource;

  constructor(name: string, args: DatasetArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:pipelines:Dataset", name, {}, opts);
    const { platform, buckets, stack, existing } = args;
    const { owns, bucket: purpose } = datasetOf(name);
    const bucket = buckets.names[purpose];
    if (existing !== undefined) {
      this.data = shortHash({ dataset: name, existing });
      const listed = step(
        makingStep(name),
        {
          kind: "existing-dataset",
          spec: {
            ...{ dataset: name, bucket, existing, store: platform.objectStore.dataId },
            generation: generation(stack, makingStep(name), () => true), // so it has a record
          },
          deletes: false,
        },
        { parent: this, dependsOn: platform.objectStore.ready },
      );
      this.inspected = this.inspect(name, args, [listed, ...buckets.all]);
      this.registerOutputs({ data: this.data });
      return;
    }
    const recipe = recipeOf(name, args.settings, bucket);
    this.data = shortHash(recipe);
    const version = shortHash({ ...recipe, environment: platform.environment });
    const isMade = ({ version }: Readonly<Record<string, unknown>>) =>
      fs.existsSync(path.join(datasetFolder(name, String(version)), "manifest.json"));

    const made = step(
      makingStep(name),
      {
        kind: "dataset",
        spec: { ...recipe, version, generation: generation(stack, makingStep(name), isMade) },
        deletes: false,
      },
      { parent: this, dependsOn: platform.python },
    );
    const uploaded = step(
      uploadStep(name),
      {
        kind: "upload",
        spec: {
          dataset: name,
          version,
          bucket,
          owns,
          settings: recipe.settings,
          store: platform.objectStore.dataId,
          generation: generation(stack, uploadStep(name), ({ lost }) => !lost, "lost objects"),
        },
      },
      {
        parent: this,
        dependsOn: [made, ...buckets.all],
        deletedWith: platform.objectStore.data,
      },
    );
    this.inspected = this.inspect(name, args, [uploaded]);
    this.registerOutputs({ data: this.data });
  }

  private inspect(name: string, args: DatasetArgs, dependsOn: pulumi.Resource[]): pulumi.Resource {
    const { settings, platform, buckets, stack, existing } = args;
    return step(
      inspectionStep(name),
      {
        kind: "inspection",
        spec: {
          ...{ dataset: name, data: this.data, existing, buckets: buckets.names },
          ...{ maxRejected: settings.maxRejected, code: coreCode() },
          store: platform.objectStore.dataId,
          generation: generation(stack, inspectionStep(name), () => true), // so it has a record
        },
        deletes: false,
      },
      { parent: this, dependsOn: [platform.python, ...dependsOn] },
    );
  }
}
