import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { PulumiCommand } from "@pulumi/pulumi/automation";
import { version } from "@pulumi/pulumi/version";
import { UserError } from "../../infra/contracts/errors";
import { attempt } from "../../infra/host/folders";
import { Unfit } from "../errors";

/** Where `--install-cli` puts the CLI: as the Automation API does, a folder a version. */
const installRoot = () => path.join(os.homedir(), ".pulumi", "versions", version);
const installed = () => path.join(installRoot(), "bin", "pulumi");

export const howToGetCli =
  "install it from https://www.pulumi.com/docs/install/, or let `npm start -- --install-cli` do it";

export const noCli = [
  "there is no Pulumi CLI on PATH",
  "this stack is deployed by the Pulumi CLI",
  howToGetCli,
] as const;

export function isCliOnPath(): boolean {
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter(Boolean);
  return folders.some((folder) =>
    attempt(() => {
      fs.accessSync(path.join(folder, "pulumi"), fs.constants.X_OK);
      return fs.statSync(path.join(folder, "pulumi")).isFile();
    }),
  );
}

/** The program to start: the one on PATH, else the installed one; undefined without one. */
export function pulumiProgram(): string | undefined {
  if (isCliOnPath()) return "pulumi";
  return fs.existsSync(installed()) ? installed() : undefined;
}

/**
 * The CLI: the one on PATH, else the one that `--install-cli` has installed.
 *
 * @throws Unfit without a CLI, or with one that is too old for the SDK
 */
export async function findCli(): Promise<PulumiCommand> {
  const { PulumiCommand } = await import("@pulumi/pulumi/automation/index.js");
  const program = pulumiProgram();
  if (program === undefined) throw new Unfit(...noCli);
  try {
    return await PulumiCommand.get(program === "pulumi" ? {} : { root: installRoot() });
  } catch (error) {
    throw new Unfit(
      `the Pulumi CLI cannot be used: ${(error as Error).message}`,
      "this stack is deployed by it",
      howToGetCli,
    );
  }
}

/**
 * Downloads the official CLI of the SDK's version, if it is not there.
 *
 * @throws UserError when the download fails
 */
export async function installCli(): Promise<void> {
  if (fs.existsSync(installed())) return;
  const { PulumiCommand } = await import("@pulumi/pulumi/automation/index.js");
  console.log(`installing the Pulumi CLI to ${installRoot()} ...`);
  try {
    await PulumiCommand.install({ root: installRoot() });
  } catch (error) {
    throw new UserError(
      `the Pulumi CLI could not be installed: ${(error as Error).message.trim()}`,
      "--install-cli asked for it",
      "check that https://get.pulumi.com can be reached, or omit --install-cli",
    );
  }
}
