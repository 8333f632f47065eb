import * as fs from "node:fs";
import * as path from "node:path";
import { version as sdkVersion } from "@pulumi/pulumi/version";
import { npm, wrong, type UserError } from "../infra/contracts/errors";
import { check, deployed, type StackCheck, type StackContext } from "../infra/host/checks";
import { checkout } from "../infra/host/folders";
import { isOlder, numbersOf, probe } from "../infra/host/probe";
import { toolEnvironment } from "../infra/host/environment";
import { readOwner } from "../infra/stack/owner";
import { storeNamed } from "../infra/stores";
import { targetNamed } from "../infra/targets";
import { chosenRuns } from "../pipelines/matrix";
import { dataFacts, missingData } from "../pipelines/stored";
import { workloadOf } from "../results/catalog";
import { howToGetCli, noCli, pulumiProgram } from "./runners/pulumiCli";
import { failedRuns } from "./terminal/stackOutputs";

export type PulumiFacts = ReturnType<typeof pulumiFacts>;

export function wrongPulumi({ cli, sdk, wanted, installed, offline }: PulumiFacts): UserError[] {
  if (cli === undefined) return wrong(...noCli);
  const cliTrouble =
    isOlder(cli, sdk) || numbersOf(cli)[0] !== numbersOf(sdk)[0]
      ? wrong(
          `the Pulumi CLI is ${cli}, and the program's SDK is ${sdk}`,
          "an older CLI does not know all that the SDK asks of it",
          howToGetCli,
        )
      : [];
  if (!offline) return cliTrouble;
  const plugins = Object.entries(wanted).flatMap(([name, version]) => {
    const others = installed.filter((plugin) => plugin.name === name).map((p) => p.version);
    if (others.includes(version)) return [];
    return wrong(
      `the Pulumi plugin ${name} ${version} is not installed${others.length > 0 ? ` (${others.join(", ")} is)` : ""}`,
      "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION is set, so that the CLI does not download it",
      `pulumi plugin install resource ${name} ${version}`,
    );
  });
  return [...cliTrouble, ...plugins];
}

const timeout = 15_000;

function pulumiFacts({ settings }: StackContext) {
  const program = pulumiProgram();
  const text = fs.readFileSync(path.join(checkout, "package.json"), "utf8");
  const { dependencies } = JSON.parse(text) as { dependencies: Readonly<Record<string, string>> };
  const providers = ["command", "docker", ...(storeNamed(settings.objectStore).providers ?? [])];
  const offline = process.env.PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION === "true";
  const pulumi = toolEnvironment("pulumi");
  const list =
    program && offline ? probe([program, "plugin", "ls", "--json"], timeout, pulumi) : undefined;
  return {
    /** e.g. `v3.248.0`; undefined without one. */
    cli: program && probe([program, "version"], timeout, pulumi)?.trim(),
    sdk: sdkVersion,
    /** Plugins that the program needs, by name, in the versions of their packages. */
    wanted: Object.fromEntries(providers.map((name) => [name, dependencies[`@pulumi/${name}`]])),
    /** Whether the CLI may not download what is missing. */
    offline,
    installed: JSON.parse(list ?? "[]") as readonly { name: string; version?: string }[],
  };
}

const pulumiCheck = check({
  id: "pulumi",
  name: "the Pulumi CLI and its plugins fit",
  blocks: false,
  applies: ({ settings, stack }) =>
    targetNamed(settings.target).needsCli !== undefined ||
    storeNamed(settings.objectStore).providers !== undefined ||
    readOwner(stack)?.runner === "pulumi",
  observe: pulumiFacts,
  judge: wrongPulumi,
});

const dataCheck = check({
  id: "data",
  name: "the store has the data that runs read",
  blocks: false,
  applies: deployed,
  after: ["docker", "store"],
  observe: ({ stack, settings }) => {
    const read = chosenRuns(settings).map(({ workload }) => workloadOf(workload).dataset);
    return Promise.all([...new Set(read)].map((dataset) => dataFacts(stack, dataset)));
  },
  judge: (facts, { stack }) => missingData(facts, npm(stack, "start")),
});

/** What words in a run's failure point to: the row of docs/troubleshooting.md by its check. */
const signs: readonly (readonly [RegExp, string])[] = [
  [
    /FileNotFound|PATH_NOT_FOUND|Path does not exist|NoSuchKey|NoSuchBucket|the [\w-]+ data\b/,
    "data",
  ],
  [/OutOfMemory|out of memory|OOM|exit code 137|SIGKILL|takes? more than runMemory/i, "memory"],
  [/no GPU|CUDA/i, "gpu"],
  [/No space left|XMinioStorageFull|disk quota/i, "disk"],
  [/has not accepted any resources|no executor/i, "spark"],
  [/ECONNREFUSED|Connection refused|does not answer/i, "services"],
  [/Version mismatch|InvalidClassException/, "environment"],
];

/** The check whose row has the cause that a failure's reason points to. */
export function rowOf(reason: string): string | undefined {
  return signs.find(([sign]) => sign.test(reason))?.[1];
}

const runsCheck = check({
  id: "runs",
  name: "no run failed last",
  blocks: false,
  applies: deployed,
  observe({ stack, settings }) {
    const runs = chosenRuns(settings).map(({ engine, workload }) => `${engine}/${workload}`);
    return failedRuns(stack, runs);
  },
  judge: (failed, { stack }) =>
    failed.flatMap(([run, { reason, log }]) => {
      const row = rowOf(reason);
      return wrong(
        `${run} failed last: ${reason.split("\n")[0]}`,
        `the whole story is in ${log}`,
        `fix what it says (${row ? `row ${row} of ` : ""}docs/troubleshooting.md), then ${npm(stack, "rerun", run)}`,
      );
    }),
});

/** All checks of a target, in the order of docs/troubleshooting.md: causes before their effects. */
export async function allChecks(target: StackContext["settings"]["target"]): Promise<StackCheck[]> {
  return [pulumiCheck, ...(await targetNamed(target).checks()).checks, dataCheck, runsCheck];
}
