import type { DeviceName } from "../contracts/platform";
import { lockFile, pythonEntry } from "./locks";
import { ensureEntry, type Build } from "./caches";
import { runBuild } from "./builds";
import { plainEnvironment } from "../host/environment";
import { isEnvironmentUsable } from "../host/python";
import { ensureUv, type Uv } from "./uv";
import { toolStep } from "./toolStep";

interface PythonSpec {
  readonly device: DeviceName;
}

/** What jobs import first: importing it once compiles it, and shows that the lock fits this machine. */
const imports =
  "import daft, duckdb, numpy, onnxruntime, pandas, PIL.Image, polars, psutil, pyarrow.parquet, " +
  "pyspark.sql, ray.data, supervisor.supervisord";

const hasCuda = "assert 'CUDAExecutionProvider' in onnxruntime.get_available_providers()";

/** Installs the locked Python environment, in which jobs, services and the supervisor run. */
export default toolStep<PythonSpec>("python", async (log, { spec: { device } }) => {
  const uv = await ensureUv(log);
  const { version } = uv.python;
  const entry = pythonEntry(device, version);
  await ensureEntry(entry, log, (build) => install(uv, build, device), isEnvironmentUsable);
  return { entry, version };
});

async function install(uv: Uv, build: Build, device: DeviceName): Promise<void> {
  const cuda = device === "cuda";
  const python = await uv.environment(build, [lockFile("python")]);
  if (cuda) await uv.replace(build, "onnxruntime", [lockFile("gpu"), lockFile("cuda")]);
  await runBuild(build.log, {
    argv: [python, "-c", [imports, ...(cuda ? [hasCuda] : [])].join("\n")],
    env: plainEnvironment(),
    pidFile: build.pidFile,
    advice: "the locked packages do not load on this machine; see the requirements in the README",
  });
}
