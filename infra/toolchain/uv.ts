import * as fs from "node:fs";
import * as path from "node:path";
import { shortHash } from "../contracts/canonical";
import { cacheFolder } from "../host/folders";
import { ensureEntry, type Build } from "./caches";
import { findPython, type Python } from "../host/python";
import { runBuild, type BuildLog } from "./builds";
import { downloadEnvironment } from "../host/environment";
import { lockFile, lockHash } from "./locks";

const advice =
  "see that this machine reaches a Python package index (PIP_INDEX_URL and UV_DEFAULT_INDEX name another, " +
  "https_proxy a proxy, SSL_CERT_FILE its certificates), then run the same command again";

/** uv, installed from its lock by a plain Python's pip. */
export interface Uv {
  /** The interpreter that environments are made with. */
  readonly python: Python;
  /**
   * Installs exactly what the locks hold into an environment in the build's folder.
   *
   * @returns its interpreter
   */
  environment(build: Build, locks: readonly string[]): Promise<string>;
  /** Takes a package out of a build's environment, and puts what the locks hold in its place. */
  replace(build: Build, name: string, locks: readonly string[]): Promise<void>;
}

/** Makes uv stand in the cache. */
export async function ensureUv(log: BuildLog): Promise<Uv> {
  const python = findPython();
  const entry = `uv/${shortHash([lockHash("uv"), python.path, python.version])}` as const;
  const home = await ensureEntry(entry, log, async ({ folder, pidFile }) => {
    const env = downloadEnvironment();
    await runBuild(log, {
      argv: [python.path, "-m", "venv", folder],
      env,
      pidFile,
      advice: "install what Python needs for it: apt-get install python3-venv",
    });
    await runBuild(log, {
      argv: [
        path.join(folder, "bin", "python"),
        ...["-m", "pip", "install", "--no-cache-dir", "--require-hashes", "--only-binary", ":all:"],
        ...["--progress-bar", "off", "-r", lockFile("uv")],
      ],
      env,
      pidFile,
      advice,
    });
    if (!fs.existsSync(path.join(folder, "bin", "uv"))) throw new Error("pip installed no uv");
  });
  const uv = path.join(home, "bin", "uv");
  return {
    python,
    environment: (build, locks) => installLocked(uv, python, build, locks),
    replace: (build, name, locks) => replaceLocked(uv, build, name, locks),
  };
}

/** Runs uv for a build. */
function running(uv: string, { log, pidFile }: Build) {
  const env = {
    ...downloadEnvironment(),
    UV_CACHE_DIR: path.join(cacheFolder(), "uv-downloads"),
    UV_PYTHON_DOWNLOADS: "never",
    UV_NO_PROGRESS: "1",
    UV_NO_CONFIG: "1",
  };
  return (...args: string[]) => runBuild(log, { argv: [uv, ...args], env, pidFile, advice });
}

async function replaceLocked(
  uv: string,
  build: Build,
  name: string,
  locks: readonly string[],
): Promise<void> {
  const run = running(uv, build);
  const python = ["--python", path.join(build.folder, "bin", "python")];
  // First of all: the files of the two may have the same names.
  await run("pip", "uninstall", ...python, name);
  await run(
    ...["pip", "install", ...python, "--require-hashes", "--no-deps", "--only-binary", ":all:"],
    ...locks.flatMap((lock) => ["--requirements", lock]),
  );
}

async function installLocked(
  uv: string,
  base: Python,
  build: Build,
  locks: readonly string[],
): Promise<string> {
  const { folder } = build;
  const run = running(uv, build);
  const python = path.join(folder, "bin", "python");
  await run("venv", "--allow-existing", "--python", base.path, folder);
  await run(
    ...["pip", "sync", "--python", python, "--require-hashes"],
    // pyspark comes as source only; what builds it is pinned too.
    ...["--only-binary", ":all:", "--no-binary", "pyspark"],
    ...["--build-constraints", lockFile("build"), ...locks],
  );
  // What was built takes 1.4 GB that nobody reads again. Cleaning waits for every other uv.
  const built = locks.some((lock) => /^pyspark==/m.test(fs.readFileSync(lock, "utf8")));
  if (built) await run("cache", "clean", "pyspark");
  return python;
}
