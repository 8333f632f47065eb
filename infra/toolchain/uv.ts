import * as fs from "node:fs";
import * as path from "node:path";
import { downloadVariables, toolEnvironment } from "../host/environment";
import { cacheFolder } from "../host/folders";
import { probe } from "../host/probe";
import { findPython, type Python } from "../host/runtimes";
import { shortHash } from "../stack/files";
import {
  ensureEntry,
  entryFolder,
  runBuild,
  type Build,
  type BuildLog,
  type Entry,
} from "./caches";
import { lockFile, lockHash } from "./locks";

const advice =
  "see that this machine reaches a Python package index (PIP_INDEX_URL and UV_DEFAULT_INDEX name another, " +
  "https_proxy a proxy, SSL_CERT_FILE its certificates), then run the same command again";

/** Makes uv in the cache, from its lock, by a plain Python's pip. */
export async function ensureUv(log: BuildLog): Promise<Uv> {
  const python = findPython();
  const entry = `uv/${shortHash([lockHash("uv"), python.path, python.version])}` as const;
  const home = await ensureEntry(entry, log, async (build) => {
    const { folder } = build;
    await runBuild(build, {
      argv: [python.path, "-m", "venv", folder],
      advice: "install what Python needs for it: apt-get install python3-venv",
    });
    await runBuild(build, {
      argv: [
        path.join(folder, "bin", "python"),
        ...["-m", "pip", "install", "--no-cache-dir", "--require-hashes", "--only-binary", ":all:"],
        ...["--progress-bar", "off", "-r", lockFile("uv")],
      ],
      env: downloadVariables(pipSettings(path.join(folder, "bin", "python")).pip),
      advice,
    });
    if (!fs.existsSync(path.join(folder, "bin", "uv"))) throw new Error("pip installed no uv");
  });
  return new Uv(path.join(home, "bin", "uv"), python);
}

/** Those settings of pip that say where packages are and how to get there, and the same ones of uv. */
const sources: Readonly<Record<string, string>> = {
  "index-url": "UV_DEFAULT_INDEX",
  "extra-index-url": "UV_INDEX",
  "find-links": "UV_FIND_LINKS",
  "trusted-host": "UV_INSECURE_HOST",
  cert: "SSL_CERT_FILE",
  proxy: "ALL_PROXY",
};

/**
 * What the user's files of settings for pip, such as a company's /etc/pip.conf, say of {@link sources}.
 * The rest of them, such as `user = true`, is for other installations than ours.
 *
 * @param python one that has pip
 */
export function pipSettings(python: string): Readonly<Record<"pip" | "uv", Variables>> {
  const said = probe([python, "-m", "pip", "config", "list"], 30_000, toolEnvironment("pip")) ?? "";
  const lines = [...said.matchAll(/^(?:global|install)\.([a-z-]+)=(['"])(.*)\2$/gm)];
  const known = lines.filter(([, name]) => name in sources);
  // pip prints a list as its file has it: with line breaks.
  const values = known.map(
    ([, name, , value]) => [name, value.replace(/\\n/g, " ").trim()] as const,
  );
  return {
    pip: Object.fromEntries(
      values.map(([name, value]) => [`PIP_${name.replace(/-/g, "_").toUpperCase()}`, value]),
    ),
    uv: Object.fromEntries(values.map(([name, value]) => [sources[name], value])),
  };
}

type Variables = Readonly<Record<string, string>>;

export class Uv {
  private found?: Variables;

  /** @param python the interpreter that environments are made with */
  constructor(
    private readonly program: string,
    readonly python: Python,
  ) {}

  /** Installs exactly what the locks hold into an environment in the build's folder. */
  async environment(build: Build, locks: readonly string[]): Promise<string> {
    const python = path.join(build.folder, "bin", "python");
    await this.run(build, "venv", "--allow-existing", "--python", this.python.path, build.folder);
    await this.run(
      build,
      ...["pip", "sync", "--python", python, "--require-hashes"],
      // pyspark comes as source only; what builds it is pinned too.
      ...["--only-binary", ":all:", "--no-binary", "pyspark"],
      ...["--build-constraints", lockFile("build"), ...locks],
    );
    // What was built takes 1.4 GB that nobody reads again. Cleaning waits for every other uv.
    const built = locks.some((lock) => /^pyspark==/m.test(fs.readFileSync(lock, "utf8")));
    if (built) await this.run(build, "cache", "clean", "pyspark");
    return python;
  }

  /** Takes a package out of a build's environment, and puts what the locks hold in its place. */
  async replace(build: Build, name: string, locks: readonly string[]): Promise<void> {
    const python = ["--python", path.join(build.folder, "bin", "python")];
    // First of all: the files of the two may have the same names.
    await this.run(build, "pip", "uninstall", ...python, name);
    await this.run(
      build,
      ...["pip", "install", ...python, "--require-hashes", "--no-deps", "--only-binary", ":all:"],
      ...locks.flatMap((lock) => ["--requirements", lock]),
    );
  }

  private run(build: Build, ...args: string[]): Promise<void> {
    this.found ??= pipSettings(path.join(path.dirname(this.program), "python")).uv;
    const env = {
      ...downloadVariables(this.found),
      UV_CACHE_DIR: path.join(cacheFolder(), "uv-downloads"),
      UV_PYTHON_DOWNLOADS: "never",
      UV_NO_PROGRESS: "1",
    };
    return runBuild(build, { argv: [this.program, ...args], env, advice });
  }
}

/**
 * Builds a program in the build's folder, with the Go of a locked Python package.
 *
 * @param args of `go`, after `install` or `build`
 * @param goMod what is to be the go.mod where Go works
 * @throws UserError when something cannot be downloaded or built
 */
export async function runGo(build: Build, [verb, ...args]: readonly string[], goMod?: string) {
  const { folder } = build;
  const go = await lockedGo(build.log);
  // Kept when the build is cut short, so that the next one goes on from there.
  const work = `${folder}.go`;
  const temporary = path.join(work, "tmp");
  fs.mkdirSync(temporary, { recursive: true });
  if (goMod !== undefined) fs.writeFileSync(path.join(work, "go.mod"), goMod);
  await runBuild(build, {
    argv: [go, verb, "-trimpath", "-modcacherw", "-buildvcs=false", ...args],
    cwd: goMod === undefined ? undefined : work,
    env: {
      ...downloadVariables(),
      CGO_ENABLED: "0",
      GOTOOLCHAIN: "local",
      GOFLAGS: "",
      GOBIN: folder,
      GOTMPDIR: temporary,
      GOPATH: path.join(work, "path"),
      GOMODCACHE: path.join(work, "modules"),
      GOCACHE: path.join(work, "build"),
    },
    advice:
      "see that this machine reaches a Go module proxy (GOPROXY names another, https_proxy a proxy), " +
      "then run the same command again",
  });
  fs.rmSync(work, { recursive: true, force: true });
}

async function lockedGo(log: BuildLog): Promise<string> {
  const uv = await ensureUv(log);
  const entry: Entry = `go/${shortHash([lockHash("go"), uv.python.version, process.arch, process.platform])}`;
  await ensureEntry(entry, log, async (build) => {
    await uv.environment(build, [lockFile("go")]);
  });
  return path.join(entryFolder(entry), "bin", "go");
}
