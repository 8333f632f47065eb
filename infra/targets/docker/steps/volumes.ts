import * as fs from "node:fs";
import * as path from "node:path";
import { pipeline } from "node:stream/promises";
import { UserError } from "../../../contracts/errors";
import { customModel, customModelHash } from "../../../toolchain/locks";
import { type StepVerbs } from "../../../stack/runStep";
import { readCredentials, type Credentials, type Generations } from "../../../stack/credentials";
import {
  configurationFiles,
  minioRegion,
  properties,
  sparkAuthentication,
} from "../../../services";
import { Docker } from "../daemon";
import {
  credentialsFolder,
  customModelFolder,
  imagePaths,
  sparkMasterUrl,
  storeEndpoint,
} from "../place";
import { shortLived } from "../shortLived";

interface CredentialsSpec {
  readonly generations: Generations;
  readonly volume: string;
  readonly image: string;
  readonly network: string;
  readonly volumes: Readonly<Record<string, number>>;
  readonly consoleUrl: string;
}

/** Reads lines of a name and a content in base64; each file is there whole or not at all. */
const write = [
  "set -e; umask 077",
  'while read -r name content; do printf %s "$content" | base64 -d >"$name.new"; mv "$name.new" "$name"; done',
].join("\n");

/** Writes the stack's secrets into the volume that containers read them from. */
export const credentials = {
  async create({ stack, spec }) {
    const kept = readCredentials(stack);
    if (!kept) throw new Error(`stack ${stack} has no credentials`);
    const files = Object.entries(filesOf(kept, spec.consoleUrl));
    const mount = { volume: spec.volume, folder: credentialsFolder };
    Docker.of(stack).run(
      [...shortLived(stack, spec.image, mount), "bash", "-c", write],
      files.map(([name, text]) => `${name} ${Buffer.from(text).toString("base64")}\n`).join(""),
    );
    const { generations, network, volumes } = spec;
    return { files: files.length, generations, network, volumes };
  },
} satisfies StepVerbs<CredentialsSpec>;

function filesOf(credentials: Credentials, consoleUrl: string): Record<string, string> {
  const { minioRootUser, minioRootPassword, sparkSecret, rayToken } = credentials;
  return {
    ...configurationFiles(credentials, consoleUrl),
    "ray-token": rayToken,
    "spark-secret": sparkSecret,
    // For people in `app`: pyspark finds the cluster and the store without further words.
    "spark-defaults.conf": properties({
      ...sparkAuthentication(sparkSecret),
      "spark.master": sparkMasterUrl,
      "spark.driver.extraClassPath": `${imagePaths.jars}/*`,
      "spark.executor.extraClassPath": `${imagePaths.jars}/*`,
      "spark.hadoop.fs.s3a.endpoint": storeEndpoint,
      "spark.hadoop.fs.s3a.endpoint.region": minioRegion,
      "spark.hadoop.fs.s3a.path.style.access": "true",
      "spark.hadoop.fs.s3a.access.key": minioRootUser,
      "spark.hadoop.fs.s3a.secret.key": minioRootPassword,
    }),
    "store.env": assignments({
      AWS_ENDPOINT_URL: storeEndpoint,
      AWS_REGION: minioRegion,
      AWS_ACCESS_KEY_ID: minioRootUser,
      AWS_SECRET_ACCESS_KEY: minioRootPassword,
    }),
  };
}

/** For a shell. */
function assignments(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}='${value.replaceAll("'", `'\\''`)}'\n`)
    .join("");
}

interface ModelSpec {
  readonly model: string;
  readonly modelPath: string;
  readonly volume: string;
  readonly image: string;
}

/** Copies a model, and the labels beside it if there are any, into the volume for it. */
export const model = {
  async create({ stack, spec }) {
    const { model: identity, modelPath } = spec;
    if (customModelHash(modelPath) !== identity) {
      throw new UserError(
        `${modelPath} changed while it was being deployed`,
        "results are kept by the model's identity",
        "run the same command again",
      );
    }
    const file = customModel(modelPath);
    const labels = path.join(path.dirname(file), "labels.json");
    const docker = Docker.of(stack);
    await copy(docker, stack, spec, file, "model.onnx");
    if (fs.existsSync(labels)) await copy(docker, stack, spec, labels, "labels.json");
    return { model: identity, labels: fs.existsSync(labels) };
  },
} satisfies StepVerbs<ModelSpec>;

async function copy(
  docker: Docker,
  stack: string,
  spec: ModelSpec,
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
