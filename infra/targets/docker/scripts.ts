import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../contracts/errors";
import { configurationFiles, minioRegion, properties, sparkAuthentication } from "../../services";
import { readCredentials, type Credentials, type Generations } from "../../stack/credentials";
import { stackId } from "../../stack/owner";
import { removeStepRecord } from "../../stack/records";
import type { StepVerbs } from "../../stack/runStep";
import { customModel } from "../../toolchain/customModel";
import { shellQuoted } from "../processes";
import { Docker, daemonRecord } from "./daemon";
import { labels, inspect, maxWorkers, orphans, steps, roles, type Inspected } from "./inspect";
import { paths, sparkMasterUrl, storeEndpoint, user } from "./place";

/** Removes what Pulumi cannot: what a killed deployment left, and at the end all of the stack's. */
export const cleanup = {
  /** Removes orphaned containers: Pulumi may not know them, and they hold names and ports. */
  async create({ stack, spec: { id } }) {
    const docker = Docker.of(stack);
    const left = orphans(stack, inspect(docker, id));
    if (left.length > 0) docker.run(["rm", "--force", "--volumes", ...left]);
    return { removed: left.length };
  },

  async delete({ stack, spec: { id } }) {
    const docker = Docker.of(stack);
    const kinds = [
      ["ps --all --no-trunc", "rm --force --volumes"],
      ["network ls --no-trunc", "network rm"],
      ["volume ls", "volume rm"],
      ["image ls --no-trunc", "image rm --force"],
    ];
    for (const [list, remove] of kinds.map((pair) => pair.map((each) => each.split(" ")))) {
      const found = docker.run([...list, "--quiet", "--filter", `label=${labels.id}=${id}`]);
      const ids = new Set(found.split("\n").filter(Boolean));
      if (ids.size > 0) docker.run([...remove, ...ids]);
    }
    for (const name of [...roles(maxWorkers).map(steps.ready), steps.base, steps.model]) {
      removeStepRecord(stack, name);
    }
    daemonRecord.remove(stack);
  },
} satisfies StepVerbs<{ /** The stack's id. */ readonly id: string }>;

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
      const text = docker.try(["inspect", container]);
      const [now] = JSON.parse(text ?? "[]") as Inspected[];
      const why =
        whyEnded(now) ?? (Date.now() > deadline ? `not healthy after ${seconds} s` : undefined);
      if (why) {
        const { text: log } = docker.both(["logs", "--tail", "8", container]);
        throw notReady(now?.Name.slice(1) ?? role, why, log);
      }
      await sleep(pollMs);
    }
    return { id: container, ...facts };
  },
} satisfies StepVerbs<{
  readonly role: string;
  readonly container: string;
  /** A bash script that succeeds in the container when the service does its work. */
  readonly health: string;
  readonly seconds: number;
  readonly facts: Readonly<Record<string, unknown>>;
}>;

/** Why the container does not go on, or undefined while it runs or is being restarted. */
function whyEnded(now: Inspected | undefined): string | undefined {
  if (now === undefined) return "it was removed";
  const { State, RestartCount } = now;
  const code = State.OOMKilled ? outOfMemory : `it ended with exit code ${State.ExitCode}`;
  if (RestartCount > maxRestarts) return `${code}, ${RestartCount} times`;
  return ["exited", "dead"].includes(State.Status) ? code : undefined;
}

function notReady(name: string, why: string, log: string): UserError {
  const last = log.trimEnd().split("\n").slice(-8);
  const lines = last.map((line) => `  | ${line.slice(0, 300)}`);
  return new UserError(
    [`${name} is not ready: ${why}`, ...lines].join("\n"),
    "the next steps need it",
    `${why.includes(outOfMemory) ? "set containerMemory higher for it" : `read \`docker logs ${name}\``}; ` +
      "then run the same command again, which makes the container anew",
  );
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
    const lines = files.map(([name, text]) => `${name} ${Buffer.from(text).toString("base64")}\n`);
    writeInto(stack, spec, paths.credentials, write, lines.join(""));
    const { generations, network, volumes } = spec;
    return { files: files.length, generations, network, volumes };
  },
} satisfies StepVerbs<
  Volume & {
    readonly generations: Generations;
    readonly network: string;
    readonly volumes: Readonly<Record<string, number>>;
    readonly consoleUrl: string;
  }
>;

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
      "spark.driver.extraClassPath": `${paths.jars}/*`,
      "spark.executor.extraClassPath": `${paths.jars}/*`,
      "spark.hadoop.fs.s3a.endpoint": storeEndpoint,
      "spark.hadoop.fs.s3a.endpoint.region": minioRegion,
      "spark.hadoop.fs.s3a.path.style.access": "true",
      "spark.hadoop.fs.s3a.access.key": minioRootUser,
      "spark.hadoop.fs.s3a.secret.key": minioRootPassword,
    }),
    // For a shell.
    "store.env": Object.entries({
      AWS_ENDPOINT_URL: storeEndpoint,
      AWS_REGION: minioRegion,
      AWS_ACCESS_KEY_ID: minioRootUser,
      AWS_SECRET_ACCESS_KEY: minioRootPassword,
    })
      .map(([name, value]) => `${name}=${shellQuoted(value)}\n`)
      .join(""),
  };
}

/** Copies a model with all its files into the volume for it. */
export const model = {
  async create({ stack, spec }) {
    const { files } = customModel(spec.modelPath, spec.model);
    for (const [name, file] of files) {
      const script = `umask 022; cat >${name}.new && mv ${name}.new ${name}`;
      const opened = fs.openSync(file, "r"); // it may be too large for this process
      try {
        writeInto(stack, spec, paths.customModel, script, opened);
      } finally {
        fs.closeSync(opened);
      }
    }
    return { model: spec.model };
  },
} satisfies StepVerbs<Volume & { readonly model: string; readonly modelPath: string }>;

interface Volume {
  readonly volume: string;
  /** One with bash. */
  readonly image: string;
}

/**
 * Writes into a volume by a container that lives only for that. What is written comes by its stdin:
 * an argument or a variable would show in `docker inspect` and in the process list.
 *
 * @param folder where the container has the volume
 * @param script for bash, in that folder
 */
function writeInto(
  stack: string,
  { volume, image }: Volume,
  folder: string,
  script: string,
  input: string | number,
): void {
  Docker.of(stack).run(
    [
      ...["run", "--rm", "--interactive", "--network", "none"],
      ...["--label", `${labels.id}=${stackId(stack)}`, "--user", user, "--cap-drop", "ALL"],
      ...["--security-opt", "no-new-privileges:true", "--read-only"],
      ...["--volume", `${volume}:${folder}`, "--workdir", folder, image, "bash", "-c", script],
    ],
    input,
  );
}
