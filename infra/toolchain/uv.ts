import * as fs from "node:fs";
import * as path from "node:path";
import { downloadEnvironment, toolEnvironment } from "../host/environment";
import { cacheFolder } from "../host/folders";
import { probe } from "../host/probe";
import { findPython, type Python } from "../host/runtimes";
import { shortHash } from "../stack/files";
import { runBuild, type BuildLog } from "./builds";
import { ensureEntry, type Build, entryFolder, type Entry } from "./caches";
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

/**
 * Builds a program in the build's folder, with the machine's Go or one from a Python package.
 *
 * @param args of `go`, after `install` or `build`
 * @param goMod what is to be the go.mod where Go works
 * @throws UserError when something cannot be downloaded or built
 */
export async function runGo(
  { folder, log, pidFile }: Build,
  [verb, ...args]: readonly string[],
  goMod?: string,
): Promise<void> {
  const go = goOnPath() ?? (await goFromPackage(log));
  // Kept when the build is cut short, so that the next one goes on from there.
  const work = `${folder}.go`;
  const temporary = path.join(work, "tmp");
  fs.mkdirSync(temporary, { recursive: true });
  if (goMod !== undefined) fs.writeFileSync(path.join(work, "go.mod"), goMod);
  await runBuild(log, {
    argv: [go, verb, "-trimpath", "-modcacherw", "-buildvcs=false", ...args],
    cwd: goMod === undefined ? undefined : work,
    env: {
      ...downloadEnvironment(),
      CGO_ENABLED: "0",
      GOTOOLCHAIN: "local",
      GOFLAGS: "",
      GOBIN: folder,
      GOTMPDIR: temporary,
      GOPATH: path.join(work, "path"),
      GOMODCACHE: path.join(work, "modules"),
      GOCACHE: path.join(work, "build"),
    },
    pidFile,
    advice:
      "see that this machine reaches a Go module proxy (GOPROXY names another, https_proxy a proxy), " +
      "then run the same command again",
  });
  fs.rmSync(work, { recursive: true, force: true });
}

async function goFromPackage(log: BuildLog): Promise<string> {
  const uv = await ensureUv(log);
  const entry: Entry = `go/${shortHash([lockHash("go"), uv.python.version, process.arch, process.platform])}`;
  await ensureEntry(entry, log, async (build) => {
    await uv.environment(build, [lockFile("go")]);
  });
  return path.join(entryFolder(entry), "bin", "go");
}

/** What MinIO's go.mod asks for. */
const minGo = [1, 24] as const;

/** Reads `go version go1.26.8 linux/amd64`. */
export function parseGoVersion(text: string): [number, number] | undefined {
  const found = /\bgo(\d+)\.(\d+)/.exec(text);
  return found ? [Number(found[1]), Number(found[2])] : undefined;
}

/** `go` on PATH if it is new enough by itself, without a toolchain that it would download. */
export function goOnPath(): string | undefined {
  const version = parseGoVersion(
    probe(["go", "version"], 10_000, { ...toolEnvironment("language"), GOTOOLCHAIN: "local" }) ??
      "",
  );
  if (!version) return undefined;
  const [major, minor] = version;
  return major > minGo[0] || (major === minGo[0] && minor >= minGo[1]) ? "go" : undefined;
}
