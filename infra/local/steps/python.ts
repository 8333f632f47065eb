import * as path from "node:path";
import { shortHash } from "../../canonical";
import { ensureEntry, type Build } from "../caches";
import { runBuild } from "../processes/builds";
import { plainEnvironment } from "../processes/environment";
import { lockFile, lockHash } from "../tools";
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

async function install(uv: Uv, { folder, log, pidFile }: Build): Promise<void> {
  await uv.run(log, ["venv", "--allow-existing", "--python", uv.python.path, folder], pidFile);
  const python = path.join(folder, "bin", "python");
  await uv.run(
    log,
    [
      ...["pip", "sync", "--python", python, "--require-hashes"],
      // pyspark comes as source only; what builds it is pinned too.
      ...["--only-binary", ":all:", "--no-binary", "pyspark"],
      ...["--build-constraints", lockFile("build"), lockFile("python")],
    ],
    pidFile,
  );
  // What built it takes 1.4 GB that nobody reads again.
  await uv.run(log, ["cache", "clean", "pyspark"], pidFile);
  await runBuild(log, {
    argv: [python, "-c", imports],
    env: plainEnvironment(),
    pidFile,
    advice: "the locked packages do not load on this machine; see the requirements in the README",
  });
}
