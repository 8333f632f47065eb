import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { checkout } from "../../host/folders";

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
