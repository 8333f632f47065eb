// What has to be there before TypeScript can run. Depends on nothing that has to be installed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { platformFacts, unsupported } from "../infra/host/supported.cjs";

/** The oldest Node that works, as in package.json. */
export const minNode = [20, 19, 0];

/** What is wrong with a version of Node, why, and what to do. @param {string} version `20.19.0` */
export function nodeProblem(version) {
  const found = version.split(".").map(Number);
  const differs = minNode.findIndex((part, index) => found[index] !== part);
  if (differs === -1 || found[differs] > minNode[differs]) return undefined;
  return [
    "Node " + version + " is too old: " + minNode.join(".") + " or later is needed",
    "Pulumi's SDK and the loader for TypeScript do not run on it",
    "install Node 22 or 24 from https://nodejs.org, or by your version manager (nvm install 22)",
  ];
}

/**
 * Whether what npm put into node_modules is what package-lock.json asks for. Packages of other
 * platforms, and those that `--omit` leaves out, may be missing, but none may be another one. One of
 * this platform alone is missing where somebody copied node_modules from another.
 *
 * @param {object} lock package-lock.json
 * @param {object | undefined} installed node_modules/.package-lock.json, which npm writes last
 * @param {{ platform: string, arch: string }} machine as Node names them
 */
export function isCurrent(lock, installed, machine = process) {
  if (installed === undefined) return false;
  return Object.entries(lock.packages).every(([place, wanted]) => {
    if (place === "") return true;
    const found = installed.packages[place];
    if (found === undefined) {
      const isOurs = wanted.os?.includes(machine.platform) && wanted.cpu?.includes(machine.arch);
      return Boolean(
        wanted.dev || wanted.devOptional || wanted.peer || (wanted.optional && !isOurs),
      );
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
  // The rest undoes what an .npmrc may say for other projects.
  const options = [
    ...["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
    ...["--no-global", "--location=user", "--no-workspaces", "--package-lock", "--no-dry-run"],
    ...["--include=optional", "--install-strategy=hoisted"],
    ...[`--os=${process.platform}`, `--cpu=${process.arch}`, "--libc=glibc"],
  ];
  const npm = process.env.npm_execpath;
  const [program, first] = npm?.endsWith(".js") ? [process.execPath, [npm]] : ["npm", []];
  const done = spawnSync(program, [...first, "ci", ...options], {
    cwd: checkout,
    // Its errors are wanted, its summary is not, and the verb's stdout is not npm's.
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (done.error) console.error("npm could not be started: " + done.error.message);
  if (done.status !== 0 || isInstalled(checkout)) return done.status === 0;
  console.error("npm installed other packages: look in `npm config list` for what makes it do so");
  return false;
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

/** What the shell, or a company, set for other programs of Node's, and each child would do, too. */
const foreign = [
  /^NODE_(OPTIONS|PATH|ENV|TLS_REJECT_UNAUTHORIZED|USE_ENV_PROXY)$/,
  /^(TS_NODE|TSX|ESBUILD|PULUMI_(NODEJS|OPTION))_\w+$/,
  // npm's, but for where packages are, and how to get there.
  /^npm_config_(?!_|@|\/\/|(.*registry|.*proxy|ca|cafile|cert|key|strict[_-]ssl|cache|(user|global)config)$|fetch)/i,
];

const folders = [
  ...["ENGINE_COMPARISON_HOME", "ENGINE_COMPARISON_CACHE", "ENGINE_COMPARISON_IVY_SETTINGS"],
  ...["XDG_STATE_HOME", "XDG_CACHE_HOME", "PULUMI_HOME", "PULUMI_CONFIG_PASSPHRASE_FILE", "TMPDIR"],
];

function isWritable(folder) {
  try {
    fs.accessSync(folder, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function forgetForeign() {
  for (const name of Object.keys(process.env)) {
    if (foreign.some((pattern) => pattern.test(name))) delete process.env[name];
  }
  try {
    process.env.HOME ||= os.userInfo().homedir;
  } catch {
    // passwd does not know the user: the check `user` says what to do
  }
  // Children start in the checkout.
  for (const name of folders) {
    if (process.env[name]) process.env[name] = path.resolve(process.env[name]);
  }
  // It may have been a session's, or a job's, that has ended.
  if (!isWritable(os.tmpdir()))
    for (const name of ["TMPDIR", "TMP", "TEMP"]) delete process.env[name];
  // gRPC asks a proxy for Pulumi's engine, too, unless the list of exceptions is written as it likes.
  process.env.no_grpc_proxy = "127.0.0.1";
}

function noTemporary() {
  if (isWritable(os.tmpdir())) return undefined;
  return [
    os.tmpdir() + " cannot be written by this user",
    "TypeScript, the Pulumi CLI, sockets and jobs need a folder for temporary files",
    "set TMPDIR to one, with a short path",
  ];
}

/**
 * Begins a command: installs what is missing, makes this process read TypeScript, and hands over.
 * Sets the exit code where it cannot.
 *
 * @param {string} checkout the folder with package-lock.json
 * @param {() => Promise<unknown>} handOver does the rest; it may load TypeScript by `require`
 */
export async function begin(checkout, handOver) {
  forgetForeign();
  const problem =
    nodeProblem(process.versions.node) ?? unsupported(platformFacts()) ?? noTemporary();
  if (problem) {
    const [what, why, fix] = problem;
    console.error([what, "  why: " + why, "  do:  " + fix].join("\n"));
    process.exitCode = 2;
  } else if (install(checkout)) {
    createRequire(import.meta.url)("../infra/host/typeScript.cjs");
    await handOver();
  } else {
    console.error("the Node packages could not be installed: see npm's message above");
    process.exitCode = 1;
  }
}
