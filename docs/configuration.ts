/**
 * Writes docs/configuration.md from Pulumi.yaml, the one place where settings are described:
 *
 *     node --import tsx docs/configuration.ts
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import { readSettings } from "../infra/targets/readSettings";
import type { Settings } from "../infra/settings/schema";
import { runInputs } from "../pipelines/runInputs";
import { chosenRuns } from "../pipelines/matrix";

interface Declared {
  readonly type: string;
  readonly default: unknown;
  readonly description: string;
}

const checkout = path.join(__dirname, "..");
const { config } = parse(fs.readFileSync(path.join(checkout, "Pulumi.yaml"), "utf8")) as {
  config: Record<string, Declared>;
};

function text(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function settings(changed: Record<string, string>): Settings {
  const all = Object.entries({ matrix: "full", ...changed });
  const defaults = Object.entries(config).map(([key, { default: value }]) => [key, text(value)]);
  const named = [...defaults, ...all].map(([key, value]) => [`engine-comparison:${key}`, value]);
  return readSettings(Object.fromEntries(named) as Record<string, string>, {
    cpus: 64,
    memoryBytes: 2 ** 50,
  });
}

/** Two valid values of a setting that changes no platform resource but may change runs. */
const samples: Readonly<Record<string, string>> = {
  fareAbove: "31",
  batchSize: "16",
  decode: "shared",
  oracleImages: "10",
  maxRejected: "1",
  warmup: "2",
  repeats: "4",
  gpuWorkers: "2",
  sparkWorkers: "3",
  sparkWorkerCores: "2",
  sparkWorkerMemory: "3g",
  rayCpus: "3",
  rayObjectStoreMemory: "2g",
  rayCompute: "actors",
  daftRunner: "ray",
  runTimeoutSeconds: "100",
  portOffset: "100",
};

/** Which runs have another input when a setting has another value: found by trying. */
function touched(key: string): string {
  const value = samples[key];
  if (value === undefined) return byHand[key] ?? "";
  const ground = { environment: "e", model: "m", device: "cuda", store: "1" } as const;
  const inputs = (some: Settings) =>
    chosenRuns(some).map(
      ({ engine, workload }) =>
        [
          `${engine}/${workload}`,
          JSON.stringify(runInputs(engine, workload, some, ground, "d")),
        ] as const,
    );
  const before = new Map(inputs(settings({})));
  const redone = inputs(settings({ [key]: value }))
    .filter(([run, after]) => before.get(run) !== after)
    .map(([run]) => run);
  return summary(redone, before.size);
}

function summary(redone: readonly string[], all: number): string {
  if (redone.length === 0) return "none";
  if (redone.length === all) return "all";
  const parts = (index: 0 | 1) => [...new Set(redone.map((run) => run.split("/")[index]))];
  const [engines, workloads] = [parts(0), parts(1)];
  if (engines.length * workloads.length !== redone.length) return redone.join(", ");
  return workloads.length === 3
    ? `${engines.join(", ")}: all`
    : `all engines: ${workloads.join(", ")}`;
}

/** Settings whose effect comes from elsewhere than a run's own inputs. */
const byHand: Readonly<Record<string, string>> = {
  target: "fixed for a stack's life",
  gpu: "image runs, where the device changes",
  engines: "adds or removes runs",
  workloads: "adds or removes runs",
  matrix: "adds or removes runs",
  datasetSource: "all",
  taxiRows: "all engines: taxi-report",
  taxiMonths: "all engines: taxi-report",
  taxiYear: "all engines: taxi-report, with `nyc`",
  nycMirror: "all, with `nyc`",
  photos: "all engines: image-predictions, image-embeddings",
  modelPath: "all engines: image-predictions, image-embeddings",
  objectStore: "fixed for a stack's life",
  s3Endpoint: "none: another store is refused",
  bucketPrefix: "all",
  bucketNames: "all",
  sparkConf: "spark: all",
  clusterSize: "those whose cores or memory become others",
  sparkMaster: "none: it is where runs go, not what they are",
  sparkMasterUi: "none: it is where runs go, not what they are",
  rayAddress: "none: it is where runs go, not what they are",
  minioRootUser: "none",
  minioRootPassword: "none",
};

export function configurationPage(): string {
  const cell = (value: string) => value.replaceAll("|", "\\|").replaceAll("\n", " ").trim();
  const rows = Object.entries(config).map(([key, declared]) =>
    [
      `\`${key}\``,
      declared.type,
      text(declared.default) === "" ? "empty" : `\`${cell(text(declared.default))}\``,
      cell(declared.description),
      touched(key),
    ].join(" | "),
  );
  return `# Configuration

<!-- Made from Pulumi.yaml by \`node --import tsx docs/configuration.ts\`; a test keeps it current. -->

Every key lives in the namespace \`engine-comparison\`. Set one for a stack with

    npm start -- --config fareAbove=40

which remembers it in the stack's folder, or, with the Pulumi CLI, with
\`pulumi config set fareAbove 40\`. A key that does not exist, a value of another type or one that
can't work stops everything before a resource is touched, and says what to do.

The last column says which runs a changed value redoes. \`npm run preview -- --diff\` shows the
same for a stack, by name and value, before anything is done.

| key | type | default | meaning | runs redone |
|---|---|---|---|---|
${rows.map((row) => `| ${row} |`).join("\n")}

## Environment

| variable | default | what it is |
|---|---|---|
| \`ENGINE_COMPARISON_HOME\` | \`$XDG_STATE_HOME/engine-comparison\` (\`~/.local/state/engine-comparison\`) | one folder a stack: service data, logs, credentials, results history, state |
| \`ENGINE_COMPARISON_CACHE\` | \`$XDG_CACHE_HOME/engine-comparison\` (\`~/.cache/engine-comparison\`) | the toolchain and the datasets, shared by stacks; no space may be in its path, because Ray does not start from one |
| \`ENGINE_COMPARISON_IVY_SETTINGS\` | Ivy's own | an \`ivysettings.xml\` that names another Maven repository for the S3A jars |
| \`PIP_INDEX_URL\`, \`UV_DEFAULT_INDEX\`, \`GOPROXY\`, \`https_proxy\` | each tool's own | are passed to the downloads of the toolchain, the proxies also to those of \`nyc\`, and to nothing else |
| \`JAVA_HOME\` | the JDK on PATH | a full JDK 17 or 21 |
`;
}

if (require.main === module) {
  fs.writeFileSync(path.join(checkout, "docs", "configuration.md"), configurationPage());
}
