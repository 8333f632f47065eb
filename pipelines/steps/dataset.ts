import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { executorOf } from "../../infra/targets";
import { datasetFolder, downloadsFolder } from "../../infra/host/folders";
import { stackFiles } from "../../infra/stack/files";
import { type StepVerbs } from "../../infra/stack/runStep";
import { runJob } from "../job";
import { writeProgress } from "../../results/records";

interface Spec {
  readonly dataset: string;
  readonly source: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Names the dataset's folder in the cache. */
  readonly version: string;
}

export default {
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
        await (executor.collect ? executor.collect(out, make) : make(out, downloadsFolder()));
      } finally {
        writeProgress(stack, name, undefined);
      }
    }
    const listed = fs.readFileSync(manifest, "utf8");
    const files = JSON.parse(listed) as { bytes: number }[];
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const manifestSha256 = createHash("sha256").update(listed).digest("hex");
    return { dataset, source, version, files: files.length, bytes, manifestSha256 };
  },
} satisfies StepVerbs<Spec>;
