import { hash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { UserError } from "../../infra/contracts/errors";
import { cacheFolder, datasetFolder } from "../../infra/host/folders";
import { stackFiles } from "../../infra/stack/files";
import type { StepVerbs } from "../../infra/stack/runStep";
import type { BucketNames } from "../../infra/contracts/platform";
import {
  explained,
  listAll,
  listingOf,
  removePrefix,
  storeClient,
} from "../../infra/stores/client";
import { executorOf } from "../../infra/targets";
import { writeProgress } from "../../results/records";
import { datasetOf } from "../../results/catalog";
import { runJob } from "../job";
import { existingListing } from "../stored";

/** Makes a dataset in the cache. */
export const dataset = {
  async create({ stack, name, spec: { dataset, source, settings, version } }) {
    const out = datasetFolder(dataset, version);
    const manifest = path.join(out, "manifest.json");
    if (!fs.existsSync(manifest)) {
      const executor = await executorOf(stack);
      const tell = (phase: string) => writeProgress(stack, name, { phase });
      const make = (folder: string, downloads: string) =>
        runJob(executor, {
          module: "engine_comparison.datasets.make",
          cluster: "none",
          unconnected: true,
          spec: { source, kind: dataset, settings, out: folder, downloads },
          seconds: null,
          log: stackFiles(stack).log("datasets", dataset),
          onPhase: tell,
        });
      fs.mkdirSync(path.dirname(out), { recursive: true });
      try {
        const downloads = path.join(cacheFolder(), "downloads"); // stays, for all stacks
        await (executor.collect ? executor.collect(out, make) : make(out, downloads));
      } finally {
        writeProgress(stack, name, undefined);
      }
    }
    const listed = fs.readFileSync(manifest, "utf8");
    const files = JSON.parse(listed) as { bytes: number }[];
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const manifestSha256 = hash("sha256", listed);
    return { dataset, source, version, files: files.length, bytes, manifestSha256 };
  },
} satisfies StepVerbs<{
  readonly dataset: string;
  readonly source: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Names the dataset's folder in the cache. */
  readonly version: string;
}>;

/** Data that somebody else has put into the store. */
export const existingDataset = {
  async create({ stack, spec: { dataset, bucket, existing } }) {
    const client = storeClient(stack);
    const { hash, files, bytes } = await existingListing(stack, dataset, async (prefixes) =>
      listingOf(await explained(() => listAll(client, bucket, prefixes))),
    );
    if (hash !== existing) {
      throw new UserError(
        `the ${dataset} data in bucket ${bucket} has changed since the program looked at it`,
        "every engine must read the same input",
        "run the same command again when nobody writes there",
      );
    }
    return { dataset, source: "existing", version: hash, files, bytes, manifestSha256: hash };
  },
} satisfies StepVerbs<{
  readonly dataset: string;
  readonly bucket: string;
  /** Hash of the listing that the program saw. */
  readonly existing: string;
}>;

/** Looks at a dataset: refuses all that engines would read differently, before any run. */
export const inspection = {
  async create({ stack, name, spec: { dataset, buckets, maxRejected, existing } }) {
    const { facts } = await runJob(await executorOf(stack), {
      module: "engine_comparison.inspection.step",
      cluster: "none",
      spec: { dataset, buckets, inputs: { maxRejected: String(maxRejected) } },
      seconds: null,
      log: stackFiles(stack).log("inspection", dataset),
      onPhase: (phase) => writeProgress(stack, name, { phase }),
    }).finally(() => writeProgress(stack, name, undefined));
    if (existing === undefined) return { facts };
    // Images may lie anywhere in their bucket; from now on changes there are seen, too.
    const { bucket, owns } = datasetOf(dataset);
    const { prefixes = [] } = facts as { prefixes?: string[] };
    const client = storeClient(stack);
    const seen = await explained(() => listAll(client, buckets[bucket], [...owns, ...prefixes]));
    return { facts, version: existing, seen: listingOf(seen).hash };
  },
} satisfies StepVerbs<{
  readonly dataset: string;
  readonly buckets: BucketNames;
  readonly maxRejected: number;
  /** Hash of the listing of data that the stack did not put there. */
  readonly existing?: string;
}>;

/** What one engine publishes of one workload. */
export const outputPrefix = {
  async create({ spec }) {
    return { uri: `s3://${spec.bucket}/${spec.prefix}` };
  },

  async delete({ stack, spec }) {
    const client = storeClient(stack);
    await explained(() => removePrefix(client, spec.bucket, spec.prefix));
  },
} satisfies StepVerbs<{ bucket: string; prefix: string }>;
