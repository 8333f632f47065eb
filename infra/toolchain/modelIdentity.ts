import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { shortHash } from "../contracts/canonical";
import { checkout } from "../host/folders";
import type { Settings } from "../settings/schema";
import { UserError } from "../contracts/errors";

/**
 * Identity of the model file that jobs load: a hash of the file, which is known before the default
 * one is built, because its builder pins it.
 *
 * @throws UserError where `modelPath` names no file
 */
export function modelIdentity({ modelPath }: Pick<Settings, "modelPath">): string {
  if (modelPath !== undefined) return ownModelHash(modelPath);
  const pins = path.join(checkout, "pipelines/engine_comparison/model/pins.json");
  return shortHash(JSON.parse(fs.readFileSync(pins, "utf8")));
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
