import * as fs from "node:fs";
import * as path from "node:path";
import { version as sdkVersion } from "@pulumi/pulumi/version";
import { checkout } from "../../infra/host/folders";
import { readOwner } from "../../infra/stack/owner";
import { toolEnvironment } from "../../infra/host/environment";
import { probe } from "../../infra/host/probe";
import { awsVersion } from "../../infra/stores/aws/names";
import { UserError } from "../../infra/contracts/errors";
import { howToGetCli, pulumiProgram } from "../runners/pulumiCli";
import { check, isDocker, type Check, type Patient } from "./check";
import { isOlder, numbersOf } from "./version";

/** What the Pulumi CLI and its plugins are. */
export interface PulumiSeen {
  /** e.g. `v3.248.0`; undefined where there is none. */
  readonly cli?: string;
  readonly sdk: string;
  /** Plugins that the program needs, by name, in the versions of their packages. */
  readonly wanted: Readonly<Record<string, string>>;
  /** Plugins that are installed, as `pulumi plugin ls --json` lists them. */
  readonly installed: readonly { readonly name: string; readonly version?: string }[];
  /** Whether the CLI may not download what is missing. */
  readonly offline: boolean;
}

export function wrongPulumi({ cli, sdk, wanted, installed, offline }: PulumiSeen): UserError[] {
  if (cli === undefined) {
    return [
      new UserError(
        "the Pulumi CLI is wanted, and there is none on PATH",
        "the stack is deployed by it",
        howToGetCli,
      ),
    ];
  }
  const cliTrouble =
    isOlder(cli, sdk) || numbersOf(cli)[0] !== numbersOf(sdk)[0]
      ? [
          new UserError(
            `the Pulumi CLI is ${cli}, and the program's SDK is ${sdk}`,
            "an older CLI does not know all that the SDK asks of it",
            howToGetCli,
          ),
        ]
      : [];
  if (!offline) return cliTrouble;
  const missing = Object.entries(wanted).filter(
    ([name, version]) =>
      !installed.some((plugin) => plugin.name === name && plugin.version === version),
  );
  return [
    ...cliTrouble,
    ...missing.map(([name, version]) => {
      const others = installed.filter((plugin) => plugin.name === name).map((p) => p.version);
      return new UserError(
        `the Pulumi plugin ${name} ${version} is not installed${others.length > 0 ? ` (${others.join(", ")} is)` : ""}`,
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION is set, so that the CLI does not download it",
        `pulumi plugin install resource ${name} ${version}`,
      );
    }),
  ];
}

const timeout = 15_000;

function observePulumi({ settings }: Patient): PulumiSeen {
  const program = pulumiProgram();
  const text = fs.readFileSync(path.join(checkout, "package.json"), "utf8");
  const { dependencies } = JSON.parse(text) as { dependencies: Readonly<Record<string, string>> };
  const wanted = {
    command: dependencies["@pulumi/command"],
    docker: dependencies["@pulumi/docker"],
    ...(settings.objectStore === "aws" ? { aws: awsVersion } : {}),
  };
  const offline = process.env.PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION === "true";
  const pulumi = toolEnvironment("pulumi");
  const cli = program && probe([program, "version"], timeout, pulumi)?.trim();
  const list =
    program && offline ? probe([program, "plugin", "ls", "--json"], timeout, pulumi) : undefined;
  return {
    cli,
    sdk: sdkVersion,
    wanted,
    offline,
    installed: JSON.parse(list ?? "[]") as PulumiSeen["installed"],
  };
}

const byPulumi = (patient: Patient) =>
  isDocker(patient) ||
  patient.settings.objectStore === "aws" ||
  readOwner(patient.stack)?.runner === "pulumi";

export const pulumiChecks: readonly Check[] = [
  check({
    id: "pulumi",
    name: "the Pulumi CLI and its plugins fit",
    applies: byPulumi,
    observe: observePulumi,
    judge: wrongPulumi,
  }),
];
