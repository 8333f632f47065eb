import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { checkout } from "../../host/folders";
import type { Settings } from "../../settings/schema";
import { stackFiles } from "../../stack/files";
import { generation } from "../../stack/records";
import { step } from "../../stack/step";
import type { Daemon, DaemonInfo } from "./daemon";
import {
  generationOf,
  labels,
  names,
  orphans,
  recordedBase,
  volumeGeneration,
  type Existing,
  type VolumePurpose,
} from "./inspect";

export interface BaseArgs {
  /** The stack's name, with which its names on the daemon begin. @example "prod" */
  readonly stack: string;
  /** The stack's id, a label of all that it has on the daemon. @example declareStack(known) */
  readonly id: pulumi.Output<string>;
  /** The settings. @example readSettings(pulumi.runtime.allConfig()) */
  readonly settings: Settings;
  /** The daemon to use. @example { host: "unix:///var/run/docker.sock", id: "PLX7:..." } */
  readonly daemon: Daemon;
  /** What the daemon says of itself. @example { ServerVersion: "28.3.0", NCPU: 8 } */
  readonly info: DaemonInfo;
  /** What the stack has on the daemon already. @example inspect(docker, known) */
  readonly existing: Existing;
}

/**
 * What containers need: the network, the volumes, and the cleanup.
 *
 * Everything depends on the cleanup. As the first thing of an `up` it removes the containers that a
 * killed deployment left without a record; as the last thing of a `destroy` it removes all that
 * carries the stack's label. So network, volumes and images need no delete.
 */
export class Base extends pulumi.ComponentResource {
  readonly provider: docker.Provider;
  readonly cleanup: pulumi.Resource;
  readonly network: docker.Network;
  readonly networkGeneration: string;
  readonly data: docker.Volume;
  /** Secrets, in files for the containers' user alone. */
  readonly credentials: docker.Volume;
  /** Scratch space of Spark's, Ray's and the jobs' files. */
  readonly scratch: docker.Volume;
  /** The user's custom model, where the settings name one. */
  readonly model: docker.Volume | undefined;
  /** Generations of the declared volumes: with another one it is another, empty volume. */
  readonly volumeGenerations: Partial<Record<VolumePurpose, string>> = {};

  constructor(
    readonly name: string,
    readonly args: BaseArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("engine-comparison:docker:Base", name, {}, opts);
    const { stack, id, settings, daemon, existing } = args;
    const recorded = recordedBase(stack);
    this.networkGeneration = generationOf(recorded.network, existing.network);
    this.provider = new docker.Provider(name, { host: daemon.host }, { parent: this });
    const isClean = () => orphans(stack, existing).length === 0;
    const record = `${name}-cleanup`;
    const spec = { id, generation: generation(stack, record, isClean, "left containers") };
    this.cleanup = step(record, { kind: "docker-cleanup", spec }, { parent: this });
    const child = { ...this.childOptions(), deleteBeforeReplace: true };
    const labels = this.labels(this.networkGeneration);
    const network = { name: names(stack).network, driver: "bridge", labels };
    this.network = new docker.Network(`${name}-network`, network, child);
    const volume = (purpose: VolumePurpose) => {
      const volume = names(stack).volume(purpose);
      const generation = volumeGeneration(existing.volumes.get(volume), recorded.volumes[purpose]);
      this.volumeGenerations[purpose] = generation;
      const args = { name: volume, labels: this.labels(generation) };
      return new docker.Volume(`${name}-volume-${purpose}`, args, child);
    };
    this.data = volume("minio-data");
    this.credentials = volume("credentials");
    this.scratch = volume("scratch");
    this.model = settings.modelPath ? volume("model") : undefined;
    this.registerOutputs({});
  }

  /** Options of what the cleanup removes at the end. */
  childOptions(parent: pulumi.Resource = this): pulumi.CustomResourceOptions {
    const { provider, cleanup } = this;
    return { parent, provider, dependsOn: cleanup, deletedWith: cleanup };
  }

  /** The labels of a thing: whose it is, and its generation. */
  labels(generation: string) {
    return [
      { label: labels.id, value: this.args.id },
      { label: labels.stack, value: this.args.stack },
      { label: labels.generation, value: generation },
    ];
  }
}

/** What the images are built on where `baseImage` says nothing; exact, so that a build can be repeated. */
export const bases = {
  cpu: "debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171",
  /** CUDA 12 and cuDNN 9 are what ONNX Runtime 1.23 was built for. */
  cuda: "nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04@sha256:ac55d124da4882b497f732d8dfd9a702d5447a5f29d08d56da6f64f0a1eb34bc",
} as const;

export function baseImage(settings: Pick<Settings, "baseImage">, device: "cpu" | "cuda"): string {
  return settings.baseImage ?? bases[device];
}

export interface ImageArgs {
  /** What the image is for: a folder of `images/`. @example "engine" */
  readonly purpose: "engine" | "minio";
  /** Where it is built, and by which settings. @example new Base("docker", args) */
  readonly base: Base;
  /** Arguments of the build, which show in the image's history. @example { DEVICE: "cpu" } */
  readonly buildArgs: Readonly<Record<string, string>>;
}

/**
 * An image, built on the daemon from `images/<name>/Dockerfile`.
 *
 * Its tag is a hash of all that the build is given: an unchanged tree changes nothing, and a changed
 * one makes another image beside the old one, which goes when its containers are gone. (With a tag
 * that stays, the provider would remove the new image in place of the old one.)
 */
export class Image extends pulumi.ComponentResource {
  /** What containers are started from, with its tag. */
  readonly imageName: pulumi.Output<string>;
  readonly image: docker.RemoteImage;

  constructor(name: string, args: ImageArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:Image", name, {}, opts);
    const { purpose, base, buildArgs } = args;
    const dockerfile = `images/${purpose}/Dockerfile`;
    const { stack, id, settings } = base.args;
    const log = stackFiles(stack).log(name);
    const build = {
      context: ".",
      dockerfile,
      builder: "default",
      buildArgs,
      secrets: settings.extraCaCertificates
        ? [{ id: "extra-certificates", src: settings.extraCaCertificates }]
        : [],
      buildLogFile: log,
    };
    const ignore = fs.readFileSync(path.join(checkout, `${dockerfile}.dockerignore`), "utf8");
    const hash = contextHash(contextFiles(ignore), build);
    // With the id: two stacks of one name on a daemon would remove each other's images.
    this.imageName = id.apply((id) => names(stack).image(purpose, `${hash}-${id.slice(0, 8)}`));
    const label = { [labels.id]: id, [labels.stack]: stack };
    this.image = new docker.RemoteImage(
      name,
      { name: this.imageName, build: { ...build, label } },
      {
        ...base.childOptions(this),
        // The provider's own limit of 20 minutes is too little for MinIO's source on two slow cores.
        customTimeouts: { create: "2h" },
        hooks: {
          // The provider opens the log, but makes no folder, and appends to what an earlier build
          // left. As a hook, because an up that builds nothing keeps the last build's log.
          beforeCreate: [
            new pulumi.ResourceHook(`${name}-new-log`, () => {
              fs.mkdirSync(path.dirname(log), { recursive: true, mode: 0o700 });
              fs.rmSync(log, { force: true });
            }),
          ],
          // The provider's error has the last command; what that command said is in the log.
          onError: [
            new pulumi.ErrorHook(`${name}-log`, () => {
              const said = `image ${purpose} was not built; all that the build said is in ${log}`;
              void pulumi.log.error(said);
              return false;
            }),
          ],
        },
      },
    );
    this.registerOutputs({});
  }
}

/**
 * The files that a Dockerfile's build can see: those that its `.dockerignore` lets in. Only the form
 * that ours have is understood: all is shut out, then paths are let in, then names are shut out
 * again wherever they are.
 *
 * @returns paths relative to `root`, sorted
 * @throws Error for a line of another form, which the builder would read differently
 */
export function contextFiles(ignore: string, root = checkout): string[] {
  const rules = ignore
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line && !line.startsWith("#"));
  if (rules.shift() !== "*") throw new Error("a .dockerignore has to shut out everything first: *");
  const letIn: string[] = [];
  const shutOut = new Set<string>();
  for (const rule of rules) {
    const entry = /^!([\w./-]+)$/.exec(rule)?.[1];
    const name = /^\*\*\/([\w.-]+)$/.exec(rule)?.[1];
    if (entry && shutOut.size === 0) letIn.push(entry);
    else if (name) shutOut.add(name);
    else throw new Error(`a .dockerignore has a rule that is not understood: ${rule}`);
  }
  return letIn.flatMap((entry) => filesBelow(root, entry, shutOut)).sort();
}

function filesBelow(root: string, entry: string, shutOut: ReadonlySet<string>): string[] {
  if (shutOut.has(path.basename(entry))) return [];
  if (!fs.statSync(path.join(root, entry)).isDirectory()) return [entry];
  return fs
    .readdirSync(path.join(root, entry))
    .flatMap((name) => filesBelow(root, path.posix.join(entry, name), shutOut));
}

/**
 * Hash of all that goes into an image: paths, contents and whether they can be executed (all of a
 * mode that git keeps, so that two checkouts agree), and what else the build is given.
 *
 * @returns the first 16 hex digits of a SHA-256
 */
export function contextHash(files: readonly string[], inputs: unknown, root = checkout): string {
  const hash = createHash("sha256").update(JSON.stringify(inputs));
  for (const file of files) {
    const at = path.join(root, file);
    const executable = (fs.statSync(at).mode & 0o100) !== 0;
    const content = fs.readFileSync(at);
    hash.update(`\0${file}\0${executable ? "x" : "-"}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex").slice(0, 16);
}
