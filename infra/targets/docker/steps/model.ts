import * as fs from "node:fs";
import * as path from "node:path";
import { pipeline } from "node:stream/promises";
import { type StepVerbs } from "../../../stack/runStep";
import { ownModel, ownModelHash } from "../../../toolchain/modelIdentity";
import { UserError } from "../../../contracts/errors";
import { Docker } from "../daemon";
import { customModelFolder } from "../place";
import { shortLived } from "../shortLived";

interface Spec {
  readonly model: string;
  readonly modelPath: string;
  readonly volume: string;
  readonly image: string;
}

/** Copies a model, and the labels beside it if there are any, into the volume for it. */
export default {
  async create({ stack, spec }) {
    const { model, modelPath } = spec;
    if (ownModelHash(modelPath) !== model) {
      throw new UserError(
        `${modelPath} changed while it was being deployed`,
        "results are kept by the model's identity",
        "run the same command again",
      );
    }
    const file = ownModel(modelPath);
    const labels = path.join(path.dirname(file), "labels.json");
    const docker = Docker.of(stack);
    await copy(docker, stack, spec, file, "model.onnx");
    if (fs.existsSync(labels)) await copy(docker, stack, spec, labels, "labels.json");
    return { model, labels: fs.existsSync(labels) };
  },
} satisfies StepVerbs<Spec>;

async function copy(
  docker: Docker,
  stack: string,
  spec: Spec,
  from: string,
  to: string,
): Promise<void> {
  const write = `umask 022; cat >${to}.new && mv ${to}.new ${to}`;
  const mount = { volume: spec.volume, folder: customModelFolder };
  const child = docker.start([...shortLived(stack, spec.image, mount), "bash", "-c", write]);
  let words = "";
  child.stderr.on("data", (chunk: Buffer) => (words += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  await pipeline(fs.createReadStream(from), child.stdin).catch(() => {}); // the exit code tells
  if ((await ended) !== 0) throw new Error(`docker run: ${words.trim()}`);
}
