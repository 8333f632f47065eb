import * as pulumi from "@pulumi/pulumi";
import { shortHash } from "../infra/canonical";
import { incarnation } from "../infra/standing";
import type { Platform } from "../infra/platform";
import type { Settings } from "../infra/settings";
import { datasetFolder } from "../infra/folders";
import { step } from "../infra/step";
import type { Buckets, BucketPurpose } from "../infra/storage/buckets";
import { datasetCode } from "./codeHash";
import type { DatasetName } from "./workloads";
import * as fs from "node:fs";
import * as path from "node:path";

/** Of the samples' random numbers: same settings, same bytes. */
const seed = "1";

interface Declared {
  readonly bucket: BucketPurpose;
  /** The prefixes that belong to the dataset alone. */
  readonly owns: readonly string[];
  readonly settings: (settings: Settings, bucket: string) => Record<string, string>;
}

const declared: Readonly<Record<DatasetName, Declared>> = {
  taxi: {
    bucket: "lake",
    owns: ["taxi/"],
    settings: (settings) => ({
      rows: String(settings.taxiRows),
      months: String(settings.taxiMonths),
      seed,
    }),
  },
  photos: {
    bucket: "images",
    owns: ["images/", "image_metadata.parquet"],
    settings: (settings, bucket) => ({ photos: String(settings.photos), bucket, seed }),
  },
};

export interface DatasetArgs {
  readonly settings: Settings;
  readonly platform: Platform;
  readonly buckets: Buckets;
  readonly stack: string;
}

/**
 * A declared set of files: made in the cache from a spec that is known beforehand, and uploaded by
 * the manifest that making it wrote.
 */
export class Dataset extends pulumi.ComponentResource {
  /** Identity of the dataset: a hash of its settings and of the code that makes it. */
  readonly data: string;
  /** Stands when the store holds exactly this dataset. */
  readonly uploaded: pulumi.Resource;

  constructor(name: DatasetName, args: DatasetArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:pipelines:Dataset", name, {}, opts);
    const { platform, buckets, stack } = args;
    const { owns, bucket: purpose, settings } = declared[name];
    const bucket = buckets.names[purpose];
    const recipe = {
      dataset: name,
      settings: settings(args.settings, bucket),
      code: datasetCode(name, Object.keys(declared)),
    };
    this.data = shortHash(recipe);
    const version = shortHash({ ...recipe, environment: platform.environment });

    const made = step(
      `make-${name}`,
      {
        script: "pipelines/steps/dataset.ts",
        spec: { ...recipe, version, incarnation: madeIncarnation(stack, name) },
        deletes: false,
      },
      { parent: this, dependsOn: platform.python },
    );
    this.uploaded = step(
      `upload-${name}`,
      {
        script: "infra/storage/steps/upload.ts",
        spec: {
          dataset: name,
          version,
          bucket,
          owns,
          settings: recipe.settings,
          store: platform.objectStore.marker,
        },
      },
      {
        parent: this,
        dependsOn: [made, ...buckets.all],
        deletedWith: platform.objectStore.data,
      },
    );
    this.registerOutputs({ data: this.data });
  }
}

function madeIncarnation(stack: string, name: DatasetName): number {
  return incarnation(stack, `make-${name}`, ({ version }) =>
    fs.existsSync(path.join(datasetFolder(name, String(version)), "manifest.json")),
  );
}
