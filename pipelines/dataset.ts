import * as pulumi from "@pulumi/pulumi";
import { shortHash } from "../infra/contracts/canonical";
import { generation } from "../infra/stack/records";
import type { Platform } from "../infra/contracts/platform";
import type { Settings } from "../infra/settings/schema";
import { datasetFolder } from "../infra/host/folders";
import { step } from "../infra/stack/step";
import type { Buckets } from "../infra/stores/buckets";
import type { BucketPurpose } from "../infra/contracts/platform";
import { datasetCode } from "./codeHash";
import { makingStep, type DatasetName } from "./workloads";
import * as fs from "node:fs";
import * as path from "node:path";

/** Of the samples' random numbers: same settings, same bytes. */
const seed = "1";

/** Where `datasetSource: nyc` finds its files; a mirror has both at the same paths below it. */
const nyc = {
  taxi: "https://d37ci6vzurychx.cloudfront.net",
  /** The files as Hugging Face has them, at a pinned revision, so that they never change. */
  photos:
    "https://huggingface.co/datasets/ethz/food101/resolve/e06acf2a88084f04bce4d4a525165d68e0a36c38/data",
  photosOfMirror: "food-101",
} as const;

type Source = Exclude<Settings["datasetSource"], "existing">;

interface Declared {
  readonly bucket: BucketPurpose;
  /** The prefixes that belong to the dataset alone. */
  readonly owns: readonly string[];
  /** All that decides what is in the dataset, besides the code that makes it. */
  readonly settings: Readonly<
    Record<Source, (settings: Settings, bucket: string) => Record<string, string>>
  >;
}

const declared: Readonly<Record<DatasetName, Declared>> = {
  taxi: {
    bucket: "lake",
    owns: ["taxi/"],
    settings: {
      sample: ({ taxiRows, taxiMonths }) => ({
        rows: String(taxiRows),
        months: String(taxiMonths),
        seed,
      }),
      nyc: ({ taxiYear, taxiMonths, nycMirror }) => ({
        year: String(taxiYear),
        months: String(taxiMonths),
        from: nycMirror ?? nyc.taxi,
      }),
    },
  },
  photos: {
    bucket: "images",
    owns: ["images/", "image_metadata.parquet"],
    settings: {
      sample: ({ photos }, bucket) => ({ photos: String(photos), bucket, seed }),
      nyc: ({ photos, nycMirror }, bucket) => ({
        photos: String(photos),
        bucket,
        from: nycMirror ? `${nycMirror}/${nyc.photosOfMirror}` : nyc.photos,
      }),
    },
  },
};

/** Where each dataset is: its bucket, and the prefixes there that are its alone. */
export const datasetPlaces: Readonly<Record<DatasetName, Pick<Declared, "bucket" | "owns">>> =
  declared;

/** All that a dataset follows from, known before it is made. */
export interface Recipe {
  readonly dataset: DatasetName;
  readonly source: Source;
  readonly settings: Readonly<Record<string, string>>;
  /** Hash of the code that makes it. */
  readonly code: string;
}

/** What a dataset of the settings follows from. @param bucket the name of the bucket it goes to */
export function recipeOf(name: DatasetName, settings: Settings, bucket: string): Recipe {
  const source = settings.datasetSource;
  if (source === "existing") throw new RangeError("data that is there already has no recipe");
  return {
    dataset: name,
    source,
    settings: declared[name].settings[source](settings, bucket),
    code: datasetCode(source, name, Object.keys(declared)),
  };
}

export interface DatasetArgs {
  readonly settings: Settings;
  readonly platform: Platform;
  readonly buckets: Buckets;
  readonly stack: string;
  /** What the store has of it already, as `lookAtExisting` saw it; else it is made. */
  readonly existing?: string;
}

/**
 * A declared set of files: made in the cache from a spec that is known beforehand, and uploaded by
 * the manifest that making it wrote.
 */
export class Dataset extends pulumi.ComponentResource {
  /** Identity of the dataset: a hash of its settings and of the code that makes it. */
  readonly data: string;
  /** Stands when the store holds exactly this dataset; named so also where it was there before. */
  readonly uploaded: pulumi.Resource;

  constructor(name: DatasetName, args: DatasetArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:pipelines:Dataset", name, {}, opts);
    const { platform, buckets, stack, existing } = args;
    const { owns, bucket: purpose } = declared[name];
    const bucket = buckets.names[purpose];
    if (existing !== undefined) {
      this.data = shortHash({ dataset: name, existing });
      this.uploaded = step(
        makingStep(name),
        {
          kind: "existing-dataset",
          spec: { dataset: name, bucket, owns, existing, store: platform.objectStore.marker },
          deletes: false,
        },
        { parent: this, dependsOn: platform.objectStore.ready },
      );
      this.registerOutputs({ data: this.data });
      return;
    }
    const recipe = recipeOf(name, args.settings, bucket);
    this.data = shortHash(recipe);
    const version = shortHash({ ...recipe, environment: platform.environment });

    const made = step(
      makingStep(name),
      {
        kind: "dataset",
        spec: { ...recipe, version, generation: madeGeneration(stack, name) },
        deletes: false,
      },
      { parent: this, dependsOn: platform.python },
    );
    this.uploaded = step(
      `upload-${name}`,
      {
        kind: "upload",
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

function madeGeneration(stack: string, name: DatasetName): string {
  return generation(stack, makingStep(name), ({ version }) =>
    fs.existsSync(path.join(datasetFolder(name, String(version)), "manifest.json")),
  );
}
