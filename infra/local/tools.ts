import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { shortHash } from "../canonical";
import { checkout } from "../folders";
import type { Settings } from "../settings";
import { readStanding } from "../standing";
import { UserError } from "../userError";
import { entryFolder, isComplete, type Entry } from "./caches";

/** The tools that a stack stands on, by the names of their steps. */
export const toolNames = ["python", "jars", "minio-binary", "model"] as const;
export type ToolName = (typeof toolNames)[number];

/** What a tool's step prints: where it is, relative to the cache. */
export interface ToolResult {
  readonly entry: Entry;
  readonly [more: string]: unknown;
}

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
  uv: "requirements-uv.lock",
  go: "requirements-go.lock",
  build: "requirements-build.lock",
  jars: "jars.lock",
} as const;

/** Hash of a lock's content. */
export function lockHash(lock: keyof typeof locks): string {
  return shortHash(lockText(locks[lock]));
}

/** The lock's path. */
export function lockFile(lock: keyof typeof locks): string {
  return path.join(checkout, "pipelines", locks[lock]);
}

/** Hash of the locked environment that jobs execute in. */
export function environmentHash(): string {
  return shortHash({ python: lockHash("python"), jars: lockHash("jars") });
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

/**
 * Identity of the model file that jobs load: a hash of the file, which is known before the default
 * one is built, because its builder pins it.
 *
 * @throws UserError where `modelPath` names no file
 */
export function modelIdentity({ modelPath }: Pick<Settings, "modelPath">): string {
  if (modelPath !== undefined) return ownModelHash(modelPath);
  const builder = text("engine_comparison/model/build.py");
  const pins = builder.match(/^(MODEL|LABELS)_SHA256 = "[0-9a-f]{64}"$/gm);
  if (pins?.length !== 2) throw new Error("model/build.py pins no MODEL_SHA256 and LABELS_SHA256");
  return shortHash(pins.sort());
}

/** The path of one's own model; a relative one starts at the checkout. */
export function ownModel(modelPath: string): string {
  return path.resolve(checkout, modelPath);
}

/** The first 16 hex digits of the SHA-256 of a model file. */
export function ownModelHash(modelPath: string): string {
  const file = ownModel(modelPath);
  let content: Buffer;
  try {
    content = fs.readFileSync(file);
  } catch (error) {
    throw new UserError(
      `modelPath is ${JSON.stringify(modelPath)}, but ${file} cannot be read (${(error as Error).message})`,
      "the image workloads load that model",
      "set modelPath to an ONNX file, or to nothing for the default model",
    );
  }
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}

/** The folder of a tool that stands, as its step recorded it. */
export function toolFolder(stack: string, tool: ToolName): string {
  const result = readStanding(stack, tool)?.result as ToolResult | undefined;
  if (!result || !isComplete(result.entry)) {
    throw new UserError(
      `${tool} is not installed for stack ${stack}`,
      "services and jobs are started from it",
      "run npm start (or pulumi up) first: it installs what is missing",
    );
  }
  return entryFolder(result.entry);
}

/** The Python interpreter of the stack's environment. */
export function pythonOf(stack: string): string {
  return path.join(toolFolder(stack, "python"), "bin", "python");
}

/** Whether a recorded tool is still in the cache, whole. */
export function toolStands(result: Readonly<Record<string, unknown>>): boolean {
  const { entry } = result as unknown as ToolResult;
  if (!isComplete(entry)) return false;
  // An environment's interpreter is a link that breaks when the system's Python is removed.
  return !entry.startsWith("python/") || fs.existsSync(path.join(entryFolder(entry), "bin/python"));
}
