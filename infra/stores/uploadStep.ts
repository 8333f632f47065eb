import * as fs from "node:fs";
import * as path from "node:path";
import { datasetFolder } from "../host/folders";
import { type StepVerbs } from "../stack/runStep";
import { explained, removePrefix, storeClient } from "./client";
import { sync } from "./sync";
import type { ManifestEntry } from "./upload";

interface Spec {
  readonly dataset: string;
  /** Names the dataset's folder in the cache. */
  readonly version: string;
  readonly bucket: string;
  /** The prefixes that this dataset owns in the bucket. */
  readonly owns: readonly string[];
}

export default {
  async create({ stack, spec }) {
    const folder = datasetFolder(spec.dataset, spec.version);
    const text = fs.readFileSync(path.join(folder, "manifest.json"), "utf8");
    const manifest = JSON.parse(text) as ManifestEntry[];
    const client = storeClient(stack);
    return { ...(await explained(() => sync(client, spec.bucket, folder, manifest, spec.owns))) };
  },

  async delete({ stack, spec }) {
    const client = storeClient(stack);
    await explained(async () => {
      for (const prefix of spec.owns) await removePrefix(client, spec.bucket, prefix);
    });
  },
} satisfies StepVerbs<Spec>;
