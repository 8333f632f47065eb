import * as fs from "node:fs";
import * as path from "node:path";
import type { DeviceName } from "../contracts/platform";
import { removeLast, checkout } from "../host/folders";
import { isEnvironmentUsable } from "../host/runtimes";
import { stackFiles, shortHash } from "../stack/files";
import type { StepContext, StepVerbs } from "../stack/runStep";
import { BuildLog, ensureEntry, registerUse, releaseUse, runBuild, type Build } from "./caches";
import { customModel } from "./customModel";
import { fetchJars } from "./jars";
import {
  lockFile,
  pythonEntry,
  lockedJars,
  lockHash,
  minioVersion,
  toxiproxyVersion,
  packedFile,
  packingCode,
} from "./locks";
import { type ToolName, type ToolResult, toolFolder, pythonOf } from "./tools";
import { ensureUv, type Uv, runGo } from "./uv";

/**
 * A toolchain step: `install` returns the entry, made if need be. The stack's use
 * of the cache is registered before, so that nobody clears it meanwhile.
 */
export function toolStep<Spec>(
  tool: ToolName,
  install: (log: BuildLog, context: StepContext<Spec>) => Promise<ToolResult>,
): StepVerbs<Spec> {
  return {
    create: async (context) => {
      const file = logFile(context.stack, tool);
      fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
      const log = new BuildLog(file);
      registerUse(context.stack, tool);
      return install(log, context);
    },
    async delete({ stack }) {
      releaseUse(stack, tool);
      removeLast(logFile(stack, tool));
    },
  };
}

const logFile = (stack: string, tool: ToolName) => stackFiles(stack).log(`toolchain-${tool}`);

/** What jobs import first: importing it once compiles it, and shows that the lock fits this machine. */
const imports =
  "import daft, duckdb, numpy, onnxruntime, pandas, PIL.Image, polars, psutil, pyarrow.parquet, " +
  "pyspark.sql, ray.data, supervisor.supervisord";

const hasCuda = "assert 'CUDAExecutionProvider' in onnxruntime.get_available_providers()";

/** Installs the locked Python environment, in which jobs, services and the supervisor run. */
export const python = toolStep<{ device: DeviceName }>("python", async (log, { spec }) => {
  const { device } = spec;
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
  await runBuild(build, {
    argv: [python, "-c", [imports, ...(cuda ? [hasCuda] : [])].join("\n")],
    advice: "the locked packages do not load on this machine; see the requirements in the README",
  });
}

/** Fetches the jars that let Spark speak S3, with the Apache Ivy that pyspark carries. */
export const jars = toolStep("jars", async (log, { stack }) => {
  const entry = `jars/${shortHash(lockHash("jars"))}` as const;
  await ensureEntry(entry, log, (build) =>
    fetchJars(build, toolFolder(stack, "python"), lockedJars()),
  );
  return { entry, jars: lockedJars().length };
});

const commit = minioVersion.split("-").pop()!;

/** Without a time of release in it, MinIO takes the binary's own and looks for no newer one. */
const linkerFlags = [
  "-s -w",
  `-X github.com/minio/minio/cmd.ReleaseTag=${minioVersion}`,
  `-X github.com/minio/minio/cmd.CommitID=${commit}`,
  `-X github.com/minio/minio/cmd.ShortCommitID=${commit}`,
].join(" ");

export const minioBinary = toolStep("minio-binary", async (log) => {
  const key = shortHash([minioVersion, linkerFlags, process.arch, process.platform]);
  const entry = `minio/${key}` as const;
  const args = ["install", "-ldflags", linkerFlags, `github.com/minio/minio@${minioVersion}`];
  await ensureEntry(entry, log, (build) => runGo(build, args));
  return { entry, version: minioVersion };
});

/** Builds Toxiproxy's server from source; its program is called `server`. */
export const toxiproxyBinary = toolStep("toxiproxy-binary", async (log) => {
  const key = shortHash([toxiproxyVersion, process.arch, process.platform]);
  const entry = `toxiproxy/${key}` as const;
  const server = `github.com/Shopify/toxiproxy/v2/cmd/server@${toxiproxyVersion}`;
  await ensureEntry(entry, log, (build) => runGo(build, ["install", server]));
  return { entry, version: toxiproxyVersion };
});

/** Puts the model that jobs load into the cache: built from a package's weights, or a custom one. */
export const model = toolStep<{
  /** Identity of the model, and so its place in the cache. */
  readonly model: string;
  /** An ONNX file of the user's, relative to the checkout or absolute. */
  readonly modelPath?: string;
}>("model", async (log, { stack, spec: { model, modelPath } }) => {
  const entry = `model/${model}` as const;
  await ensureEntry(entry, log, (build) =>
    modelPath === undefined
      ? makeBy(stack, "model.build", build, build.folder)
      : copyCustom(build, model, modelPath),
  );
  return { entry };
});

/** Runs a module of this project that writes into `out`. */
function makeBy(stack: string, module: string, build: Build, out: string): Promise<void> {
  return runBuild(build, {
    argv: [pythonOf(stack), "-m", `engine_comparison.${module}`, "--out", out],
    env: { PYTHONPATH: path.join(checkout, "pipelines") },
    advice: "run the same command again",
  });
}

/** A copy, so that a run's model stays what it was when the user's files change. */
async function copyCustom({ folder }: Build, model: string, modelPath: string): Promise<void> {
  for (const [name, file] of customModel(modelPath, model).files) {
    fs.copyFileSync(file, path.join(folder, name));
  }
}

/** Packs what Python workers of other machines import, out of the stack's environment. */
export const packages = toolStep("packages", async (log, { stack }) => {
  const python = toolFolder(stack, "python");
  const entry = `packages/${shortHash([path.basename(python), packingCode()])}` as const;
  await ensureEntry(entry, log, (build) =>
    makeBy(stack, "pack", build, path.join(build.folder, packedFile)),
  );
  return { entry };
});
