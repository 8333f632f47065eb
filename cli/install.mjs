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
 * Why this project does not run on a machine, as a message for the user; said before anything is
 * downloaded. The check `platform` in infra/host/platform.ts says it where another program starts it.
 *
 * @param {{ system: string, kernel: string, processor: string, glibc?: string }} machine the system
 *   and processor as Node names them, the text of /proc/version, and the version of glibc
 * @returns {string | undefined}
 */
export function platformProblem({ system, kernel, processor, glibc }) {
  const names = { darwin: "macOS", win32: "Windows" };
  const isWsl1 = /microsoft/i.test(kernel) && !/WSL2|microsoft-standard/.test(kernel);
  const refusal = (what, why, fix) => [what, "  why: " + why, "  do:  " + fix].join("\n");
  if (system !== "linux" || isWsl1) {
    return refusal(
      (isWsl1 ? "WSL1" : (names[system] ?? system)) + " is not supported",
      "MinIO, Spark and Ray are run as Linux processes; Linux (x86-64) and WSL2 are supported",
      isWsl1
        ? "in Windows: wsl --set-version <distribution> 2"
        : "use a Linux machine or virtual machine, or WSL2 on Windows",
    );
  }
  if (processor !== "x64" && processor !== "arm64") {
    return refusal(
      "Linux on " + processor + " is not supported",
      "the engines' packages are not built for this processor",
      "use a machine with an x86-64 processor",
    );
  }
  const [major = 0, minor = 0] = (glibc ?? "").split(".").map(Number);
  if (major > 2 || (major === 2 && minor >= 28)) return undefined;
  return refusal(
    glibc ? "glibc " + glibc + " is too old: 2.28 or later is needed" : "there is no glibc",
    "the engines' packages are built for it; musl, as in Alpine Linux, does not run them",
    "use Debian, Ubuntu, Fedora, or another distribution of the last years with glibc",
  );
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
    ...["--no-global", "--package-lock", "--no-dry-run", "--include=optional"],
  ];
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

function kernel() {
  try {
    return fs.readFileSync("/proc/version", "utf8");
  } catch {
    return "";
  }
}

/** The version of glibc that Node uses; undefined with another libc. */
function glibc() {
  process.report.excludeNetwork = true; // else it asks for the names of hosts
  return process.report.getReport().header.glibcVersionRuntime;
}

/** What the shell, or a company, set for other programs of Node's, and each child would do, too. */
const foreign =
  /^(NODE_(OPTIONS|PATH|ENV|TLS_REJECT_UNAUTHORIZED|USE_ENV_PROXY)|(TS_NODE|TSX|ESBUILD)_\w+)$/;

function forgetForeign() {
  for (const name of Object.keys(process.env)) if (foreign.test(name)) delete process.env[name];
  // gRPC asks a proxy for Pulumi's engine, too, unless the list of exceptions is written as it likes.
  process.env.no_grpc_proxy = "127.0.0.1";
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
  const { platform: system, arch: processor } = process;
  const machine = () => ({ system, processor, kernel: kernel(), glibc: glibc() });
  const problem = nodeProblem(process.versions.node) ?? platformProblem(machine());
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
