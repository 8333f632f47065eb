import { shortHash } from "../../canonical";
import { ensureEntry, type Build } from "../caches";
import { runBuild } from "../processes/builds";
import { plainEnvironment } from "../processes/environment";
import { lockFile, lockHash } from "../../locks";
import { ensureUv, type Uv } from "../uv";
import { runToolStep } from "./tool";

/** What jobs import first: importing it once compiles it, and shows that the lock fits this machine. */
const imports =
  "import daft, duckdb, numpy, onnxruntime, pandas, PIL.Image, polars, psutil, pyarrow.parquet, " +
  "pyspark.sql, ray.data, supervisor.supervisord";

/** Installs the locked Python environment, in which jobs, services and the supervisor run. */
void runToolStep("python", async (log) => {
  const uv = await ensureUv(log);
  const { version } = uv.python;
  const minor = version.split(".").slice(0, 2).join(".");
  const key = shortHash([lockHash("python"), minor, process.arch, process.platform]);
  const entry = `python/${key}` as const;
  await ensureEntry(entry, log, (build) => install(uv, build));
  return { entry, version };
});

async function install(uv: Uv, build: Build): Promise<void> {
  const python = await uv.environment(build, [lockFile("python")]);
  await runBuild(build.log, {
    argv: [python, "-c", imports],
    env: plainEnvironment(),
    pidFile: build.pidFile,
    advice: "the locked packages do not load on this machine; see the requirements in the README",
  });
}
