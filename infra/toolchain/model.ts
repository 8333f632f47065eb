import * as fs from "node:fs";
import * as path from "node:path";
import { checkout } from "../host/folders";
import { UserError } from "../contracts/errors";
import { ensureEntry, type Build } from "./caches";
import { runBuild } from "./builds";
import { plainEnvironment } from "../host/environment";
import { ownModel, ownModelHash } from "./modelIdentity";
import { pythonOf } from "./tools";
import { toolStep } from "./toolStep";

interface ModelSpec {
  /** Identity of the model, and so its place in the cache. */
  readonly model: string;
  /** An ONNX file of the user's, relative to the checkout or absolute. */
  readonly modelPath?: string;
}

/** Puts the model that jobs load into the cache: built from a package's weights, or the user's own. */
export default toolStep<ModelSpec>("model", async (log, { stack, spec }) => {
  const { model, modelPath } = spec;
  const entry = `model/${model}` as const;
  await ensureEntry(entry, log, (build) =>
    modelPath === undefined
      ? buildDefault(build, pythonOf(stack))
      : copyOwn(build, model, modelPath),
  );
  return { entry };
});

function buildDefault({ folder, log, pidFile }: Build, python: string): Promise<void> {
  return runBuild(log, {
    argv: [python, "-m", "engine_comparison.model.build", "--out", folder],
    env: { ...plainEnvironment(), PYTHONPATH: path.join(checkout, "pipelines") },
    pidFile,
    advice: "run the same command again",
  });
}

/** A copy, so that a run's model stays what it was when the user's file changes. */
async function copyOwn({ folder }: Build, model: string, modelPath: string): Promise<void> {
  const found = ownModelHash(modelPath);
  if (found !== model) {
    throw new UserError(
      `${modelPath} changed while it was being deployed (${model}, now ${found})`,
      "results are kept by the model's identity",
      "run the same command again",
    );
  }
  const file = ownModel(modelPath);
  fs.copyFileSync(file, path.join(folder, "model.onnx"));
  const labels = path.join(path.dirname(file), "labels.json");
  if (fs.existsSync(labels)) fs.copyFileSync(labels, path.join(folder, "labels.json"));
}
