/**
 * Writes the config section of Pulumi.yaml and docs/configuration.md from the settings' entries:
 *
 *     npm run configuration
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { parseDocument, Scalar } from "yaml";
import { readSettings } from "../infra/targets/readSettings";
import { settingDefaults, settingEntries, type Settings } from "../infra/settings/schema";
import type { Setting } from "../infra/settings/values";
import { runInputs } from "../pipelines/inputs";
import { chosenRuns } from "../pipelines/matrix";

const checkout = path.join(__dirname, "..");

/** Pulumi.yaml with `config` made from the entries; everything else as the file has it. */
export function pulumiYaml(file = fs.readFileSync(path.join(checkout, "Pulumi.yaml"), "utf8")) {
  const document = parseDocument(file);
  const config = Object.entries(settingEntries).map(([key, entry]) => {
    const { type, default: value, description } = entry;
    const items = type === "array" ? { items: { type: "string" } } : {};
    const folded = new Scalar(description);
    if (description.length > 70) folded.type = Scalar.BLOCK_FOLDED;
    return [key, { type, ...items, default: value, description: folded }];
  });
  document.set("config", document.createNode(Object.fromEntries(config)));
  return document.toString({ lineWidth: 100 });
}

function settings(changed: Record<string, string>): Settings {
  const all = Object.entries({ ...settingDefaults, matrix: "full", ...changed });
  const named = all.map(([key, value]) => [`engine-comparison:${key}`, value]);
  return readSettings(Object.fromEntries(named) as Record<string, string>, {
    cpus: 64,
    memoryBytes: 2 ** 50,
  });
}

/** Another valid value of a setting than its default; undefined for free text. */
function otherValue({ type, default: value, schema }: Setting): string | undefined {
  const words = "options" in schema ? (schema.options as string[]) : [];
  const candidates =
    type === "integer"
      ? [String(Number(value) + 1)]
      : type === "boolean"
        ? [String(!value)]
        : [...words, "3g"].filter((word) => word !== value && word !== "auto");
  return type === "string" && value === ""
    ? undefined
    : candidates.findLast((candidate) => schema.safeParse(candidate).success);
}

/** Which runs have another input when a setting has another value: found by trying. */
function touched(key: string, entry: Setting): string {
  const known = entry.secret ? "none" : byHand[key];
  const value = otherValue(entry);
  if (known !== undefined || value === undefined) return known ?? "";
  const facts = { environment: "e", model: "m", device: "cuda", store: "1" } as const;
  const inputs = (some: Settings) =>
    chosenRuns(some).map(
      ({ engine, workload }) =>
        [
          `${engine}/${workload}`,
          JSON.stringify(runInputs(engine, workload, some, facts, "d")),
        ] as const,
    );
  const before = new Map(inputs(settings({})));
  const redone = inputs(settings({ [key]: value }))
    .filter(([run, after]) => before.get(run) !== after)
    .map(([run]) => run);
  return summary(redone, [...before.keys()]);
}

function summary(redone: readonly string[], all: readonly string[]): string {
  if (redone.length === 0) return "none";
  if (redone.length === all.length) return "all";
  const [engines, workloads] = ([0, 1] as const).map((index) => {
    const part = (run: string) => run.split("/")[index];
    const names = [...new Set(redone.map(part))];
    const covered = all.filter((run) => names.includes(part(run))).length === redone.length;
    return covered ? names.join(", ") : undefined;
  });
  if (engines) return `${engines}: all`;
  return workloads ? `all engines: ${workloads}` : redone.join(", ");
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
};

export function configurationPage(): string {
  const cell = (value: string) => value.replaceAll("|", "\\|");
  const rows = Object.entries(settingEntries).map(([key, entry]) =>
    [
      `\`${key}\``,
      entry.secret ? "secret" : entry.type,
      settingDefaults[key] === "" ? "empty" : `\`${cell(settingDefaults[key])}\``,
      cell(entry.description),
      touched(key, entry),
    ].join(" | "),
  );
  return `# Configuration

<!-- Made from infra/settings by \`npm run configuration\`; a test keeps it current. -->

Every key lives in the namespace \`engine-comparison\`. Set a key for a stack:

    npm start -- --config fareAbove=40
    npm start -- --config s3SecretKey=@file     # a secret, from a file
    npm start -- --config fareAbove=            # unset it

The value is kept in the stack's folder, secrets encrypted. With the Pulumi CLI:

    pulumi config set fareAbove 40
    pulumi config set --secret s3SecretKey

An unknown key, a value of another type, settings that contradict each other and a secret that is not
encrypted are refused before a resource is touched. The message says what to do.

The last column says which runs a changed value redoes. \`npm run preview -- --diff\` shows the
same for a stack, by name and value.

| key | type | default | meaning | runs redone |
|---|---|---|---|---|
${rows.map((row) => `| ${row} |`).join("\n")}

## Environment

Services and jobs see \`PATH\`, \`HOME\`, the locale and the like of your environment, and no secret. A
program of yours sees its own variables too: \`docker\` those that begin with \`DOCKER_\`, \`aws\` those
that begin with \`AWS_\`, \`git\` those that begin with \`GIT_CONFIG_\`.

| variable | default | what it is |
|---|---|---|
| \`ENGINE_COMPARISON_HOME\` | \`$XDG_STATE_HOME/engine-comparison\` (\`~/.local/state/engine-comparison\`) | one folder per stack: service data, logs, credentials, results history, state |
| \`ENGINE_COMPARISON_CACHE\` | \`$XDG_CACHE_HOME/engine-comparison\` (\`~/.cache/engine-comparison\`) | the toolchain and the datasets, shared by stacks; no space may be in its path, because Ray does not start from one |
| \`ENGINE_COMPARISON_IVY_SETTINGS\` | Ivy's own | an \`ivysettings.xml\` that names another Maven repository for the S3A jars |
| \`PIP_INDEX_URL\`, \`UV_DEFAULT_INDEX\`, \`GOPROXY\`, \`https_proxy\` | each tool's own | are passed to the downloads of the toolchain; the proxies also to those of \`nyc\`, to \`docker\` and to \`aws\` |
| \`JAVA_HOME\` | the JDK on PATH | a full JDK 17 or 21 |
`;
}

if (require.main === module) {
  fs.writeFileSync(path.join(checkout, "Pulumi.yaml"), pulumiYaml());
  fs.writeFileSync(path.join(checkout, "docs", "configuration.md"), configurationPage());
}
