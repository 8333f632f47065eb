// What has to be there before TypeScript can run. Depends on nothing but Node itself.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/** The oldest Node that works, as in package.json. */
export const minNode = [20, 19, 0];

/**
 * What is wrong with a version of Node, as a message for the user.
 *
 * @param {string} version such as `20.19.0`
 * @returns {string | undefined}
 */
export function nodeProblem(version) {
  const found = version.split(".").map(Number);
  const differs = minNode.findIndex((part, index) => found[index] !== part);
  if (differs === -1 || found[differs] > minNode[differs]) return undefined;
  return [
    "Node " + version + " is too old: " + minNode.join(".") + " or later is needed",
    "  why: Pulumi's SDK and the loader for TypeScript do not run on it",
    "  do:  install Node 22 or 24 from https://nodejs.org, or by your version manager (nvm install 22)",
  ].join("\n");
}

/**
 * Whether what npm put into node_modules is what package-lock.json asks for. Packages that a
 * platform or `--omit` leaves out may be missing, but none may be another one.
 *
 * @param {object} lock package-lock.json
 * @param {object | undefined} installed node_modules/.package-lock.json, which npm writes last
 */
export function isCurrent(lock, installed) {
  if (installed === undefined) return false;
  return Object.entries(lock.packages).every(([place, wanted]) => {
    if (place === "") return true;
    const found = installed.packages[place];
    if (found === undefined) {
      return Boolean(wanted.dev || wanted.optional || wanted.devOptional || wanted.peer);
    }
    return found.version === wanted.version && found.integrity === wanted.integrity;
  });
}

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

function isInstalled(checkout) {
  const lock = readJson(path.join(checkout, "package-lock.json"));
  if (lock === undefined) throw new Error("package-lock.json is missing from " + checkout);
  return isCurrent(lock, readJson(path.join(checkout, "node_modules", ".package-lock.json")));
}

/**
 * Installs the Node packages if they are not what package-lock.json says. Install scripts of
 * packages are never run.
 *
 * @param {string} checkout the folder with package-lock.json
 * @returns {boolean} false when npm failed; it has said why
 */
export function install(checkout) {
  if (isInstalled(checkout)) return true;
  const unlock = lock(checkout);
  try {
    return isInstalled(checkout) || npmCi(checkout);
  } finally {
    unlock();
  }
}

function npmCi(checkout) {
  console.error("installing Node packages from package-lock.json (npm ci) ...");
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = process.env.npm_execpath;
  const [program, first] = npm?.endsWith(".js") ? [process.execPath, [npm]] : ["npm", []];
  const done = spawnSync(program, [...first, "ci", ...options], {
    cwd: checkout,
    // Its errors are wanted, its summary is not, and the verb's stdout is not npm's.
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (done.error) console.error("npm could not be started: " + done.error.message);
  return done.status === 0;
}

/** One installation at a time in a checkout: the kernel holds the lock until this process ends. */
function lock(checkout) {
  const hash = createHash("sha256").update(fs.realpathSync(checkout)).digest("hex").slice(0, 16);
  const name = `engine-comparison-install-${process.getuid?.()}-${hash}`;
  const descriptor = fs.openSync(path.join(os.tmpdir(), name), "a", 0o600);
  // Without util-linux's flock, two installations at once are not kept apart.
  spawnSync("flock", ["3"], { stdio: ["ignore", "ignore", "ignore", descriptor] });
  return () => fs.closeSync(descriptor);
}

/**
 * Begins a command: installs what is missing, makes this process read TypeScript, and hands over.
 * Sets the exit code where it cannot.
 *
 * @param {string} checkout the folder with package-lock.json
 * @param {() => Promise<unknown>} handOver does the rest; it may load TypeScript by `require`
 */
export async function begin(checkout, handOver) {
  const problem = nodeProblem(process.versions.node);
  if (problem) {
    console.error(problem);
    process.exitCode = 2;
  } else if (install(checkout)) {
    // What `node --import tsx` does, without a second process.
    await import("tsx");
    await handOver();
  } else {
    console.error("the Node packages could not be installed: see npm's message above");
    process.exitCode = 1;
  }
}
