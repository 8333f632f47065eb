import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import * as z from "zod";
import { UserError } from "../contracts/errors";
import { checkout } from "../host/folders";
import { shortHash } from "../stack/files";

/**
 * Looks at a custom model: the ONNX file, its contract beside it, the labels that this names, and
 * the files that it keeps tensors in. A relative path starts at the checkout.
 *
 * @param identity what it was when the program looked at it
 * @returns its files by the names that jobs know, and a hash of all of them
 * @throws UserError where a file cannot be read, or has changed since
 */
export function customModel(modelPath: string, identity?: string) {
  const model = path.resolve(checkout, modelPath);
  const beside = (name: string) => path.join(path.dirname(model), name);
  try {
    const names = externalData(fs.readFileSync(model));
    const odd = names.find((name) => !/^[\w-][\w.-]*$/.test(name));
    if (odd !== undefined) {
      throw new UserError(
        `the model ${modelPath} keeps tensors in ${JSON.stringify(odd)}`,
        "jobs get its files in one folder",
        "save the model again with its external data in a file beside it, with a plain name",
      );
    }
    const contract = `${path.parse(model).name}.json`;
    const { labels } = readContract(beside(contract));
    if (labels !== null) names.push(labels);
    const files = new Map([
      ["model.onnx", model],
      ["model.json", beside(contract)],
    ]);
    for (const name of names) files.set(name, beside(name));
    const hash = shortHash([...files].map(([name, file]) => [name, fileHash(file)]));
    if (identity === undefined || identity === hash) return { files, hash };
    throw new UserError(
      `${modelPath} changed while it was being deployed (${identity}, now ${hash})`,
      "results are kept by the model's identity",
      "run the same command again",
    );
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      `modelPath is ${JSON.stringify(modelPath)}, but a file of the model cannot be read (${(error as Error).message})`,
      "the image workloads load that model",
      "set modelPath to an ONNX file with all its files beside it, or unset it for the default model",
    );
  }
}

/** The SHA-256 of a file of any size. */
function fileHash(file: string): string {
  const hash = createHash("sha256");
  const chunk = Buffer.alloc(2 ** 20);
  const opened = fs.openSync(file, "r");
  try {
    for (let read; (read = fs.readSync(opened, chunk)) > 0;) hash.update(chunk.subarray(0, read));
  } finally {
    fs.closeSync(opened);
  }
  return hash.digest("hex");
}

/**
 * The names of the files that an ONNX file keeps tensors in: values of `location` among a tensor's
 * `external_data` (onnx.proto: StringStringEntryProto has its key as field 1, its value as field 2).
 */
function externalData(content: Buffer): string[] {
  const key = Buffer.from("\x0a\x08location\x12", "latin1");
  const names = new Set<string>();
  for (let at = content.indexOf(key); at >= 0; at = content.indexOf(key, at + 1)) {
    const start = at + key.length + 1;
    names.add(content.toString("utf8", start, start + content[start - 1]));
  }
  return [...names].sort();
}

/**
 * Reads what a model takes and gives, see engine_comparison/model/contract.py, which also compares it
 * with the model itself.
 *
 * @throws UserError with all that is missing or wrong in it
 */
function readContract(file: string): { readonly labels: string | null } {
  const read = (name: string) => JSON.parse(fs.readFileSync(name, "utf8")) as unknown;
  const schema = read(
    path.join(checkout, "pipelines/engine_comparison/model/contract.schema.json"),
  ) as z.core.JSONSchema.JSONSchema;
  const refused = (what: string) =>
    new UserError(
      `${file} does not say what the model takes and gives: ${what}`,
      "runs with a guess would compare other answers than the model's",
      `write that file, for a usual classifier ${JSON.stringify(schema.examples?.[0])}, with ` +
        "the values that your model was trained with: docs/models.md",
    );
  let fields;
  try {
    fields = read(file);
  } catch (error) {
    throw refused((error as Error).message);
  }
  const { error } = z.fromJSONSchema(schema).safeParse(fields);
  if (!error) return fields as { labels: string | null };
  throw refused(error.issues.map(({ path, message }) => [...path, message].join(": ")).join("; "));
}
