import * as fs from "node:fs";
import * as path from "node:path";
import { shortHash } from "../canonical";
import { cacheFolder } from "../folders";
import { ensureEntry } from "./caches";
import { findPython, type Python } from "./machine/python";
import { runBuild, type BuildLog } from "./processes/builds";
import { downloadEnvironment } from "./processes/environment";
import { lockFile, lockHash } from "./tools";

const advice =
  "see that this machine reaches a Python package index (PIP_INDEX_URL and UV_DEFAULT_INDEX name another, " +
  "https_proxy a proxy, SSL_CERT_FILE its certificates), then run the same command again";

/** uv, installed from its lock by a plain Python's pip. */
export interface Uv {
  readonly python: Python;
  /** Runs `uv` with `args`, its own cache inside ours. */
  run(log: BuildLog, args: readonly string[], pidFile: string): Promise<void>;
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
  return {
    python,
    run: (log, args, pidFile) =>
      runBuild(log, {
        argv: [path.join(home, "bin", "uv"), ...args],
        env: {
          ...downloadEnvironment(),
          UV_CACHE_DIR: path.join(cacheFolder(), "uv-downloads"),
          UV_PYTHON_DOWNLOADS: "never",
          UV_NO_PROGRESS: "1",
          UV_NO_CONFIG: "1",
        },
        pidFile,
        advice,
      }),
  };
}
