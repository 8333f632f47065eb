import * as fs from "node:fs";
import * as path from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../contracts/errors";
import { configurationFiles, minioRegion, properties, sparkAuthentication } from "../../services";
import { readCredentials, type Credentials, type Generations } from "../../stack/credentials";
import { stackId } from "../../stack/owner";
import { removeStepRecord } from "../../stack/records";
import type { StepVerbs } from "../../stack/runStep";
import { customModel, customModelHash } from "../../toolchain/locks";
import { Docker, forgetDaemon } from "./daemon";
import {
  baseStep,
  idLabel,
  inspect,
  maxWorkers,
  modelStep,
  orphans,
  readyStep,
  roles,
} from "./inspect";
import {
  credentialsFolder,
  customModelFolder,
  imagePaths,
  sparkMasterUrl,
  storeEndpoint,
  user,
} from "./place";

/** Removes what Pulumi cannot: what a killed deployment left, and at the end all of the stack's. */
export const cleanup = {
  /** Removes orphaned containers: Pulumi may not know them, and they hold names and ports. */
  async create({ stack, spec: { id } }) {
    const docker = Docker.of(stack);
    const left = orphans(stack, inspect(docker, id));
    if (left.length > 0) docker.run(["rm", "--force", "--volumes", ...left]);
    return { removed: left.length };
  },

  /** Removes all that carries the stack's id. */
  async delete({ stack, spec: { id } }) {
    const docker = Docker.of(stack);
    const removeAll = (list: string[], remove: string[], ...more: string[]) => {
      const filter = ["--quiet", ...more, "--filter", `label=${idLabel}=${id}`];
      const ids = new Set(
        docker
          .run([...list, ...filter])
          .split("\n")
          .filter(Boolean),
      );
      if (ids.size > 0) docker.run([...remove, ...ids]);
    };
    removeAll(["ps", "--all"], ["rm", "--force", "--volumes"], "--no-trunc");
    removeAll(["network", "ls"], ["network", "rm"], "--no-trunc");
    removeAll(["volume", "ls"], ["volume", "rm"]);
    removeAll(["image", "ls"], ["image", "rm", "--force"], "--no-trunc");
    for (const name of [...roles(maxWorkers).map(readyStep), baseStep, modelStep]) {
      removeStepRecord(stack, name);
    }
    forgetDaemon(stack);
  },
} satisfies StepVerbs<{ /** The stack's id. */ readonly id: string }>;

interface ReadySpec {
  readonly role: string;
  /** The container's id. */
  readonly container: string;
  /** A bash script that succeeds in the container when the service does its work. */
  readonly health: string;
  readonly seconds: number;
  readonly facts: Readonly<Record<string, unknown>>;
}

const pollMs = 500;
/** A service that takes a connection and says nothing is not healthy either. */
const probeMs = 10_000;
const outOfMemory = "it ran out of memory";
/** A container that was restarted so often will not do better the next time. */
const maxRestarts = 2;

/** Waits until a container's service does its work; records the container. */
export const ready = {
  async create({ stack, spec: { role, container, health, seconds, facts } }) {
    const docker = Docker.of(stack);
    const deadline = Date.now() + seconds * 1000;
    while (docker.try(["exec", container, "bash", "-c", health], probeMs) === undefined) {
      const ended = whyEnded(docker, container);
      if (ended || Date.now() > deadline)
        throw notReady(docker, role, container, ended ?? `not healthy after ${seconds} s`);
      await sleep(pollMs);
    }
    return { id: container, ...facts };
  },
} satisfies StepVerbs<ReadySpec>;

interface ContainerState {
  readonly Status: string;
  readonly ExitCode: number;
  readonly OOMKilled: boolean;
}

/** Why the container does not go on, or undefined while it runs or is being restarted. */
function whyEnded(docker: Docker, container: string): string | undefined {
  const text = docker.try(["inspect", "--format", "{{json .State}}\t{{.RestartCount}}", container]);
  if (text === undefined) return "it was removed";
  const [state, restarts] = text.trim().split("\t");
  const { Status, ExitCode, OOMKilled } = JSON.parse(state) as ContainerState;
  const code = OOMKilled ? outOfMemory : `it ended with exit code ${ExitCode}`;
  if (Number(restarts) > maxRestarts) return `${code}, ${restarts} times`;
  return Status === "exited" || Status === "dead" ? code : undefined;
}

function notReady(docker: Docker, role: string, container: string, why: string): UserError {
  const name = docker.try(["inspect", "--format", "{{.Name}}", container])?.trim().slice(1) ?? role;
  const lines = docker.tail(container, 8).map((line) => `  | ${line.slice(0, 300)}`);
  return new UserError(
    [`${name} is not ready: ${why}`, ...lines].join("\n"),
    "the next steps need it",
    `${why.includes(outOfMemory) ? "set containerMemory higher for it" : `read \`docker logs ${name}\``}; ` +
      "then run the same command again, which makes the container anew",
  );
}

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
      writer(stack, spec.image, mount, write),
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
    // For people in `app`: pyspark finds the cluster and the store by itself.
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
    const hasLabels = fs.existsSync(labels);
    await copy(stack, spec, file, "model.onnx");
    if (hasLabels) await copy(stack, spec, labels, "labels.json");
    return { model: identity, labels: hasLabels };
  },
} satisfies StepVerbs<ModelSpec>;

async function copy(stack: string, spec: ModelSpec, from: string, to: string): Promise<void> {
  const write = `umask 022; cat >${to}.new && mv ${to}.new ${to}`;
  const mount = { volume: spec.volume, folder: customModelFolder };
  const child = Docker.of(stack).start(writer(stack, spec.image, mount, write));
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  await pipeline(fs.createReadStream(from), child.stdin).catch(() => {}); // the exit code tells
  if ((await ended) !== 0) throw new Error(`docker run: ${stderr.trim()}`);
}

/**
 * The `docker` arguments of a container that lives only to write into a volume, from its stdin: an
 * argument or a variable would show in `docker inspect` and in the process list.
 *
 * @param script for bash, in the volume's folder
 */
function writer(
  stack: string,
  image: string,
  { volume, folder }: { readonly volume: string; readonly folder: string },
  script: string,
): string[] {
  return [
    ...["run", "--rm", "--interactive", "--network", "none"],
    ...["--label", `${idLabel}=${stackId(stack)}`, "--user", user, "--cap-drop", "ALL"],
    ...["--security-opt", "no-new-privileges:true", "--read-only"],
    ...["--volume", `${volume}:${folder}`, "--workdir", folder, image, "bash", "-c", script],
  ];
}
