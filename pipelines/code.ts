import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { toolEnvironment } from "../infra/host/environment";
import { checkout } from "../infra/host/folders";
import { datasets, engines, fileOf, packageFolder, workloads } from "../results/catalog";

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

function packageFiles(folder: string): string[] {
  return fs
    .readdirSync(path.join(packageFolder, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const name = path.posix.join(folder, entry.name);
      if (entry.isDirectory()) return packageFiles(name);
      return /\.(py|json)$/.test(entry.name) ? [name] : [];
    });
}

/**
 * The files of one engine or workload: those named as it is, and those whose names begin so, such
 * as `taxi_report_oracle.py`, unless they are of another one with a longer name.
 */
function filesOf(folder: string, name: string, all: readonly { readonly name: string }[]) {
  const isOf = (one: string, file: string) =>
    new RegExp(`^${folder}/${fileOf(one)}[._]`).test(file);
  const longer = all.map((one) => one.name).filter((one) => one.length > name.length);
  return packageFiles(folder).filter(
    (file) => isOf(name, file) && !longer.some((one) => isOf(one, file)),
  );
}

const engineFiles = (name: string) => filesOf("engines", name, engines());
const workloadFiles = (name: string) => filesOf("workloads", name, workloads());

/** Of an engine's files: a comment in one of them reruns that engine alone. */
export function engineCode(engine: string): string {
  return hashFiles(engineFiles(engine));
}

/** Of a workload's files. */
export function workloadCode(workload: string): string {
  return hashFiles(workloadFiles(workload));
}

/** What makes a dataset: the code of `datasets/` and of a source there but other datasets' own. */
export function datasetCode(source: string, dataset: string): string {
  const foreign = datasets()
    .filter(({ name }) => name !== dataset)
    .map(({ name }) => `datasets/${source}/${fileOf(name)}.py`);
  const own = (file: string) =>
    file.endsWith(".py") && // what a description decides is in the recipe
    !foreign.includes(file) &&
    (path.posix.dirname(file) === "datasets" || file.startsWith(`datasets/${source}/`));
  return hashFiles(packageFiles("datasets").filter(own));
}

/**
 * What every run shares: all of the package but the files of single engines and workloads, but the
 * makers of datasets, whose products are an input of their own, and but what starts a service.
 */
export function coreCode(): string {
  const apart = new Set([
    ...engines().flatMap(({ name }) => engineFiles(name)),
    ...workloads().flatMap(({ name }) => workloadFiles(name)),
    "ray_node.py",
  ]);
  const shared = (file: string) => !apart.has(file) && !file.startsWith("datasets/");
  return hashFiles(packageFiles("").filter(shared));
}

/** The commit of this checkout and whether files differ from it; nulls outside of git. */
export function codeVersion(): { commit: string | null; dirty: boolean | null } {
  try {
    const git = (...args: string[]) =>
      execFileSync("git", ["-C", checkout, ...args], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
        env: toolEnvironment("git"),
      }).trim();
    return { commit: git("rev-parse", "HEAD"), dirty: git("status", "--porcelain") !== "" };
  } catch {
    return { commit: null, dirty: null };
  }
}
