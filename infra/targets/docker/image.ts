import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { checkout } from "../../host/folders";
import { stackFiles } from "../../stack/files";
import type { Settings } from "../../settings/schema";
import type { Ground } from "./ground";
import { idLabel, names, stackLabel } from "./names";

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
  readonly ground: Ground;
  readonly settings: Settings;
  /** Build arguments; they show in the image's history. */
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
    const { ground, settings } = args;
    const dockerfile = `images/${name}/Dockerfile`;
    const log = stackFiles(ground.stack).log(`image-${name}`);
    const build = {
      context: ".",
      dockerfile,
      builder: "default",
      buildArgs: args.buildArgs,
      secrets: settings.extraCaCertificates
        ? [{ id: "extra-certificates", src: settings.extraCaCertificates }]
        : [],
      buildLogFile: log,
    };
    const ignore = fs.readFileSync(path.join(checkout, `${dockerfile}.dockerignore`), "utf8");
    const hash = contextHash(contextFiles(ignore), build);
    // With the id: two stacks of one name on a daemon would remove each other's images.
    this.imageName = ground.id.apply((id) =>
      names(ground.stack).image(name, `${hash}-${id.slice(0, 8)}`),
    );
    this.image = new docker.RemoteImage(
      `image-${name}`,
      {
        name: this.imageName,
        build: { ...build, label: { [idLabel]: ground.id, [stackLabel]: ground.stack } },
      },
      {
        parent: this,
        provider: ground.provider,
        dependsOn: ground.sweeper,
        deletedWith: ground.sweeper,
        // The provider's own limit of 20 minutes is too little for MinIO's source on two slow cores.
        customTimeouts: { create: "2h" },
        hooks: { beforeCreate: [makeWay(name, log)], onError: [tellLog(name, log)] },
      },
    );
    this.registerOutputs({ imageName: this.imageName });
  }
}

/**
 * The provider opens the log, but makes no folder, and appends to what an earlier build left. As a
 * hook, because an up that builds nothing keeps the last build's log.
 */
function makeWay(name: string, log: string): pulumi.ResourceHook {
  return new pulumi.ResourceHook(`image-${name}-new-log`, () => {
    fs.mkdirSync(path.dirname(log), { recursive: true, mode: 0o700 });
    fs.rmSync(log, { force: true });
  });
}

/** The provider's error has the last command; what that command said is in the log. */
function tellLog(name: string, log: string): pulumi.ErrorHook {
  return new pulumi.ErrorHook(`image-${name}-log`, () => {
    void pulumi.log.error(`image ${name} was not built; all that the build said is in ${log}`);
    return false;
  });
}

/**
 * The files that a Dockerfile's build can see: those that its `.dockerignore` lets in. Only the form
 * that ours have is understood: all is shut out, then paths are let in, then names are shut out
 * again wherever they are.
 *
 * @param ignore the lines of the `.dockerignore`
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
