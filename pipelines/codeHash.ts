import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { packageFolder } from "./declaration";

/** The first 16 hex digits of the SHA-256 over names and contents of files of the Python package. */
function hashFiles(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of [...files].sort()) {
    hash
      .update(`${file}\0`)
      .update(fs.readFileSync(path.join(packageFolder, file)))
      .update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

function pythonFiles(folder: string): string[] {
  return fs
    .readdirSync(path.join(packageFolder, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const name = path.posix.join(folder, entry.name);
      if (entry.isDirectory()) return pythonFiles(name);
      return /\.(py|json)$/.test(entry.name) ? [name] : [];
    });
}

/** An engine is one file, and a comment in it reruns that engine alone. */
export function engineCode(engine: string): string {
  return hashFiles([engineFile(engine)]);
}

/** A workload is one file, and so is its name in Python. */
export function workloadCode(workload: string): string {
  return hashFiles([workloadFile(workload)]);
}

/**
 * What makes a dataset: the files of `datasets/`, and those of its source's folder there but the
 * generators of the other datasets.
 */
export function datasetCode(source: string, dataset: string, all: readonly string[]): string {
  const foreign = all
    .filter((other) => other !== dataset)
    .map((other) => `datasets/${source}/${other}.py`);
  const own = (file: string) =>
    !foreign.includes(file) &&
    (path.posix.dirname(file) === "datasets" || file.startsWith(`datasets/${source}/`));
  return hashFiles(pythonFiles("datasets").filter(own));
}

/**
 * What every run shares: all of the package but the files of single engines and workloads, but the
 * makers of datasets, whose products are an input of their own, and but what starts a service.
 */
export function coreCode(engines: readonly Named[], workloads: readonly Named[]): string {
  const apart = new Set([
    ...engines.map(({ name }) => engineFile(name)),
    ...workloads.map(({ name }) => workloadFile(name)),
    "ray_node.py",
  ]);
  const shared = (file: string) => !apart.has(file) && !file.startsWith("datasets/");
  return hashFiles(pythonFiles("").filter(shared));
}

interface Named {
  readonly name: string;
}

function engineFile(engine: string): string {
  return `engines/${engine.replaceAll("-", "_")}.py`;
}

function workloadFile(workload: string): string {
  return `workloads/${workload.replaceAll("-", "_")}.py`;
}
