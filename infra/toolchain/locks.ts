import * as fs from "node:fs";
import * as path from "node:path";
import { shortHash } from "../contracts/canonical";
import type { DeviceName } from "../contracts/platform";
import { checkout } from "../host/folders";
import { minorOf } from "../host/python";
import type { Entry } from "./caches";

/** The Go module of MinIO's server, whose makers publish source only. */
export const minioVersion = "v0.0.0-20260212201848-7aac2a2c5b7c";

function text(file: string): string {
  return fs.readFileSync(path.join(checkout, "pipelines", file), "utf8");
}

/** The text of a lock without its comments, which say where it was made. */
function lockText(file: string): string {
  return text(file)
    .split("\n")
    .filter((line) => !/^\s*#/.test(line))
    .join("\n");
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

/** The version of a Python package that the lock has. */
export function lockedVersion(name: string): string {
  const found = new RegExp(`^${name}(?:\\[[^\\]]*\\])?==([^ \\\\;]+)`, "m").exec(
    text(locks.python),
  );
  if (!found) throw new Error(`the lock has no ${name}`);
  return found[1];
}

/** A package of the lock. */
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
  for (const [, name, version, marker] of lock.matchAll(/^([\w.-]+)==([^\s;]+)[ \t]*(;.*)?/gm)) {
    const before = found.get(normalised(name));
    found.set(normalised(name), {
      versions: [...(before?.versions ?? []), version],
      always: marker === undefined,
    });
  }
  return found;
}

/** Hash of a lock's content. */
export function lockHash(lock: keyof typeof locks): string {
  return shortHash(lockText(locks[lock]));
}

/** The lock's path. */
export function lockFile(lock: keyof typeof locks): string {
  return path.join(checkout, "pipelines", locks[lock]);
}

/** Hash of the locked packages of Python. */
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

/** A jar of the lock. */
export interface Jar {
  readonly group: string;
  readonly artifact: string;
  readonly version: string;
  readonly sha256: string;
}

/** Reads lines of the form `group:artifact:version sha256`. */
export function parseJars(lock: string): Jar[] {
  return lock
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"))
    .map((line) => {
      const found = /^([^:\s]+):([^:\s]+):([^:\s]+) ([0-9a-f]{64})$/.exec(line.trim());
      if (!found) throw new Error(`jars.lock has a line of another form: ${line}`);
      return { group: found[1], artifact: found[2], version: found[3], sha256: found[4] };
    });
}

export function lockedJars(): Jar[] {
  return parseJars(text(locks.jars));
}
