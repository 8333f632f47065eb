import * as fs from "node:fs";
import * as path from "node:path";
import { executorOf } from "../../infra/executorOf";
import { datasetFolder, stackFolder } from "../../infra/folders";
import { runStep } from "../../infra/runStep";
import { runJob } from "../job";

interface Spec {
  readonly dataset: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Names the dataset's folder in the cache. */
  readonly version: string;
}

void runStep<Spec>({
  async create({ stack, spec: { dataset, settings, version } }) {
    const out = datasetFolder(dataset, version);
    const manifest = path.join(out, "manifest.json");
    if (!fs.existsSync(manifest)) {
      const executor = executorOf(stack);
      const make = (folder: string) =>
        runJob(executor, {
          module: "engine_comparison.datasets.make",
          cluster: "none",
          unconnected: true,
          spec: { kind: dataset, settings, out: folder },
          seconds: null,
          log: path.join(stackFolder(stack), "logs", "datasets", `${dataset}.log`),
        });
      fs.mkdirSync(path.dirname(out), { recursive: true });
      await (executor.collect ? executor.collect(out, make) : make(out));
    }
    const files = JSON.parse(fs.readFileSync(manifest, "utf8")) as { bytes: number }[];
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    return { dataset, version, files: files.length, bytes };
  },
});
