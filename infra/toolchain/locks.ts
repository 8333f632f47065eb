import * as fs from "node:fs";
import * as path from "node:path";
import type { DeviceName } from "../contracts/platform";
import { checkout } from "../host/folders";
import { minorOf } from "../host/runtimes";
import type { Settings } from "../settings/schema";
import { shortHash } from "../stack/files";
import type { Entry } from "./caches";
import { customModel } from "./customModel";

/** The Go module of MinIO's server, whose makers publish source only. */
export const minioVersion = "v0.0.0-20260212201848-7aac2a2c5b7c";

/** The version of Toxiproxy, the proxy that delays the store's answers. */
export const toxiproxyVersion = "v2.12.0";

function text(file: string): string {
  return fs.readFileSync(path.join(checkout, "pipelines", file), "utf8");
}

export const locks = {
  python: "requirements.lock",
  gpu: "requirements-gpu.lock",
  cuda: "requirements-cuda.lock",
  uv: "requirements-uv.lock",
  go: "requirements-go.lock",
  build: "requirements-build.lock",
  jars: "jars.lock",
} as const;

export interface Locked {
  /** Its versions: more than one where they depend on Python's. */
  readonly versions: readonly string[];
  /** Whether every machine gets it. */
  readonly always: boolean;
}

/** A package's name as indexes compare it. */
export function normalised(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}

/** Reads lines such as `ray==2.60.0 \` or `colorama==0.4.6 ; sys_platform == 'win32' \`. */
export function lockedPackages(lock = text(locks.python)): Map<string, Locked> {
  const found = new Map<string, Locked>();
  for (const [, name, version, marker] of lock.matchAll(
    /^([\w.-]+)(?:\[[^\]]*\])?==([^\s;]+)[ \t]*(;.*)?/gm,
  )) {
    const before = found.get(normalised(name));
    found.set(normalised(name), {
      versions: [...(before?.versions ?? []), version],
      always: marker === undefined,
    });
  }
  return found;
}

export function lockedVersion(name: string): string {
  const [version] = lockedPackages().get(name)?.versions ?? [];
  if (version === undefined) throw new Error(`the lock has no ${name}`);
  return version;
}

/** Hash of a lock's content, without comments, which say where it was made. */
export function lockHash(lock: keyof typeof locks): string {
  return shortHash(text(locks[lock]).replace(/^[ \t]*#.*\n?/gm, ""));
}

export function lockFile(lock: keyof typeof locks): string {
  return path.join(checkout, "pipelines", locks[lock]);
}

export function pythonHash(device: DeviceName): string {
  const cpu = lockHash("python");
  return device === "cpu" ? cpu : shortHash([cpu, lockHash("gpu"), lockHash("cuda")]);
}

/** Where the environment is for a version of Python. */
export function pythonEntry(device: DeviceName, version: string): Entry {
  const key = [pythonHash(device), minorOf(version), process.arch, process.platform];
  return `python/${shortHash(key)}`;
}

/** Hash of the locked environment that jobs execute in. */
export function environmentHash(device: DeviceName): string {
  return shortHash({ python: pythonHash(device), jars: lockHash("jars") });
}

export interface Jar {
  readonly group: string;
  readonly artifact: string;
  readonly version: string;
  readonly sha256: string;
  /** Where it is put below the folder of the jars, off the usual class path. */
  readonly folder?: string;
}

/** Reads lines of the form `group:artifact:version sha256`, or with a folder after that. */
export function lockedJars(lock = text(locks.jars)): Jar[] {
  return lock
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"))
    .map((line) => {
      const found = /^([^:\s]+):([^:\s]+):([^:\s]+) ([0-9a-f]{64})(?: (\w+))?$/.exec(line.trim());
      if (!found) throw new Error(`jars.lock has a line of another form: ${line}`);
      const [, group, artifact, version, sha256, folder] = found;
      return { group, artifact, version, sha256, folder };
    });
}

/**
 * Identity of the model that jobs load: a hash of its files, which is known before the default one
 * is built, because its builder pins it.
 *
 * @throws UserError where `modelPath` names no model that can be copied
 */
export function modelIdentity({ modelPath }: Pick<Settings, "modelPath">): string {
  if (modelPath !== undefined) return customModel(modelPath).hash;
  return shortHash(JSON.parse(text("engine_comparison/model/pins.json")));
}

/** Hash of the code that packs what Python workers of other machines import. */
export function packingCode(): string {
  return shortHash(text("engine_comparison/pack.py"));
}

/** The packed file in the folder of the tool `packages`. */
export const packedFile = "packages.tgz";
