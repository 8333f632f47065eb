import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { UserError } from "../contracts/errors";
import type { DeviceName } from "../contracts/platform";
import { downloadVariables, proxies } from "../host/environment";
import { removeLast, cacheFolder, checkout } from "../host/folders";
import { isEnvironmentUsable, findJava } from "../host/runtimes";
import { stackFiles, shortHash } from "../stack/files";
import type { StepContext, StepVerbs } from "../stack/runStep";
import { BuildLog, runBuild } from "./builds";
import { registerUse, releaseUse, ensureEntry, type Build } from "./caches";
import {
  lockFile,
  pythonEntry,
  lockedJars,
  lockHash,
  type Jar,
  minioVersion,
  toxiproxyVersion,
  customModel,
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

interface PythonSpec {
  readonly device: DeviceName;
}

/** What jobs import first: importing it once compiles it, and shows that the lock fits this machine. */
const imports =
  "import daft, duckdb, numpy, onnxruntime, pandas, PIL.Image, polars, psutil, pyarrow.parquet, " +
  "pyspark.sql, ray.data, supervisor.supervisord";

const hasCuda = "assert 'CUDAExecutionProvider' in onnxruntime.get_available_providers()";

/** Installs the locked Python environment, in which jobs, services and the supervisor run. */
export const python = toolStep<PythonSpec>("python", async (log, { spec: { device } }) => {
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
  await ensureEntry(entry, log, (build) => fetch(build, toolFolder(stack, "python")));
  return { entry, jars: lockedJars().length };
});

async function fetch(build: Build, venv: string): Promise<void> {
  const { folder } = build;
  const jars = lockedJars();
  const module = path.join(folder, "ivy.xml");
  fs.writeFileSync(module, ivyXml(jars));
  // Not as arguments, which all users see: the address of a proxy may have a password in it.
  const options = path.join(folder, "java-options");
  fs.writeFileSync(options, asOptionsFile(proxyOptions(process.env)), { mode: 0o600 });
  const ivyHome = path.join(cacheFolder(), "ivy");
  const settings = process.env.ENGINE_COMPARISON_IVY_SETTINGS;
  await runBuild(build, {
    argv: [
      path.join(findJava().home, "bin", "java"),
      `@${options}`,
      ...[`-Divy.default.ivy.user.dir=${ivyHome}`, "-jar", ivyJar(venv)],
      ...(settings ? ["-settings", path.resolve(settings)] : []),
      ...["-ivy", module, "-cache", path.join(ivyHome, "cache"), "-types", "jar", "bundle"],
      ...["-retrieve", path.join(folder, "[artifact]-[revision].[ext]")],
    ],
    env: downloadVariables(),
    advice:
      "see that this machine reaches a Maven repository (ENGINE_COMPARISON_IVY_SETTINGS names an ivysettings.xml " +
      "with another, https_proxy a proxy), then run the same command again",
  });
  for (const file of [module, options]) fs.rmSync(file);
  jars.forEach((jar) => verify(folder, jar));
}

function ivyJar(venv: string): string {
  const [python] = fs.readdirSync(path.join(venv, "lib"));
  const jars = path.join(venv, "lib", python, "site-packages", "pyspark", "jars");
  const found = fs.readdirSync(jars).find((name) => /^ivy-[\d.]+\.jar$/.test(name));
  if (!found) throw new Error(`pyspark carries no Ivy in ${jars}`);
  return path.join(jars, found);
}

/** Looks at a fetched jar, and moves it to where the lock has it. */
function verify(folder: string, { artifact, version, sha256, folder: place }: Jar): void {
  const name = `${artifact}-${version}.jar`;
  const file = path.join(folder, name);
  const found = fs.existsSync(file)
    ? createHash("sha256").update(fs.readFileSync(file)).digest("hex")
    : "nothing";
  if (found === sha256 && place) {
    fs.mkdirSync(path.join(folder, place), { recursive: true });
    fs.renameSync(file, path.join(folder, place, name));
  }
  if (found !== sha256) {
    throw new UserError(
      `${name} has the SHA-256 ${found} instead of ${sha256}`,
      "it is not the file that was locked, and Spark would run it",
      "if a repository of your own serves another build, let it pass the original on",
    );
  }
}

/** An Ivy module that wants exactly these jars, without what they depend on. */
export function ivyXml(jars: readonly Jar[]): string {
  const wanted = jars.map(
    ({ group, artifact, version }) =>
      `    <dependency org="${group}" name="${artifact}" rev="${version}" conf="default->master" transitive="false" force="true"/>`,
  );
  return [
    '<ivy-module version="2.0">',
    '  <info organisation="engine-comparison" module="jars"/>',
    '  <configurations><conf name="default"/></configurations>',
    "  <dependencies>",
    ...wanted,
    "  </dependencies>",
    "</ivy-module>",
    "",
  ].join("\n");
}

/**
 * Java does not read the proxy variables that everybody else does: the same as its own options, with
 * name and password as Ivy reads them.
 */
export function proxyOptions(env: NodeJS.ProcessEnv): string[] {
  const given = proxies(env);
  const options = (["http", "https"] as const).flatMap((scheme) => {
    const names = [`${scheme}_proxy`, `${scheme}_proxy`.toUpperCase(), "all_proxy", "ALL_PROXY"];
    const value = names.map((name) => given[name]).find(Boolean);
    if (!value) return [];
    const { hostname, port, username, password } = new URL(
      value.includes("://") ? value : `http://${value}`,
    );
    return [
      ...[`-D${scheme}.proxyHost=${hostname}`, `-D${scheme}.proxyPort=${port || "80"}`],
      ...(username ? [`-Dhttp.proxyUser=${decodeURIComponent(username)}`] : []),
      ...(password ? [`-Dhttp.proxyPassword=${decodeURIComponent(password)}`] : []),
    ];
  });
  if (options.length === 0) return [];
  const direct = given.no_proxy.split(",").map((host) => host.replace(/^\./, "*."));
  return [
    ...new Set(options),
    `-Dhttp.nonProxyHosts=${direct.join("|")}`,
    // By default Java gives no password to a proxy on the way to an https address.
    "-Djdk.http.auth.tunneling.disabledSchemes=",
  ];
}

/** Options of Java's launcher as it reads them from a file. */
function asOptionsFile(options: readonly string[]): string {
  return options
    .map((option) => `"${option.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"\n`)
    .join("");
}

const commit = minioVersion.split("-").pop()!;

/** Without a time of release in it, MinIO takes the binary's own and looks for no newer one. */
const linkerFlags = [
  "-s -w",
  `-X github.com/minio/minio/cmd.ReleaseTag=${minioVersion}`,
  `-X github.com/minio/minio/cmd.CommitID=${commit}`,
  `-X github.com/minio/minio/cmd.ShortCommitID=${commit}`,
].join(" ");

/** Builds MinIO's server from source. */
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

interface ModelSpec {
  /** Identity of the model, and so its place in the cache. */
  readonly model: string;
  /** An ONNX file of the user's, relative to the checkout or absolute. */
  readonly modelPath?: string;
}

/** Puts the model that jobs load into the cache: built from a package's weights, or a custom one. */
export const model = toolStep<ModelSpec>("model", async (log, { stack, spec }) => {
  const { model, modelPath } = spec;
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
