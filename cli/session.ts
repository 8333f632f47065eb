import * as fs from "node:fs";
import { checkout } from "../infra/host/folders";
import {
  checkOwner,
  currentBackend,
  inStackFolder,
  readOwner,
  type Claimant,
} from "../infra/stack/owner";
import { chosenRuns } from "../pipelines/matrix";
import type { Arguments } from "./arguments";
import { chooseRunner, whoMade, type Chosen } from "./runners/chooseRunner";
import { loadConfiguration, saveOverlay, settingsOf, type Configuration } from "./config";
import { stackPassphrase, type StackPassphrase } from "./passphrase";
import { once } from "./once";
import { readProject, type Project } from "./project";
import { installCli, isCliOnPath } from "./runners/pulumiCli";
import type { Runner } from "./runners/runner";
import { beforehand, Unfit } from "./wrongUse";

/** All that a verb needs to work on a stack, checked before anything is touched. */
export interface Session {
  readonly project: Project;
  readonly stack: string;
  readonly configuration: Configuration;
  /** The names of the runs that the settings ask for, in order. */
  readonly runs: readonly string[];
  readonly runner: Runner;
}

/** The options of verbs that may make a stack. */
export const makingOptions = {
  config: { type: "string", multiple: true },
  runner: { type: "string" },
  "install-cli": { type: "boolean" },
} as const;

/**
 * Opens a stack to deploy it; it may not be there yet. What `--config` says is kept for later verbs.
 *
 * @throws Unfit when settings, runner, checkout or target do not fit
 */
export async function openToDeploy(args: Arguments): Promise<Session> {
  const { stack } = args;
  const { project, owner, made, passphrase } = lookAt(stack);
  const assignments = args.values("config");
  if (assignments.length > 0 && made?.backend === "own") throw configuredByPulumi(stack);
  const secret = () => passphrase().text;
  const configuration = await loadConfiguration(project, stack, assignments, secret);
  const installing = args.flag("install-cli") && made?.runner !== "embedded";
  const runs = runNames(configuration);
  const target = configuration.all[`${project.name}:target`];
  const chosen = chooseRunner({
    stack,
    target,
    asked: args.value("runner"),
    made,
    cliThere: () => installing || isCliOnPath(),
  });
  if (owner) beforehand(() => checkOwner(stack, owner, here(stack, target, chosen)));
  if (installing) await installCli();
  if (assignments.length > 0) await saveOverlay(project, stack, configuration, secret);
  const runner = await makeRunner(project, stack, configuration, chosen, passphrase);
  return { project, stack, configuration, runs, runner };
}

/**
 * Opens a stack as it is, whatever its settings are by now: one must be able to look at it and to
 * destroy it.
 *
 * @returns undefined where nothing of the stack is there
 * @throws Unfit when another checkout owns it
 */
export async function openAsItIs({ stack }: Arguments): Promise<Session | undefined> {
  const { project, owner, made, passphrase } = lookAt(stack);
  if (!made) return undefined;
  if (owner) beforehand(() => checkOwner(stack, owner, here(stack, owner.target, made)));
  const configuration = await loadConfiguration(project, stack, [], () => passphrase().text);
  const runner = await makeRunner(project, stack, configuration, made, passphrase);
  return { project, stack, configuration, runs: runNamesIfAny(configuration), runner };
}

/** What can be said of a stack without a runner; undefined where nothing of it is there. */
export async function describeStack(stack: string): Promise<Omit<Session, "runner"> | undefined> {
  const { project, made, passphrase } = lookAt(stack);
  if (!made) return undefined;
  const configuration = await loadConfiguration(project, stack, [], () => passphrase().text);
  return { project, stack, configuration, runs: runNamesIfAny(configuration) };
}

/** The names of the runs that a configuration asks for. @throws Unfit for one that makes no sense */
function runNames(configuration: Configuration): string[] {
  const runs = beforehand(() => chosenRuns(settingsOf(configuration)));
  return runs.map(({ engine, workload }) => `${engine}/${workload}`);
}

function runNamesIfAny(configuration: Configuration): string[] {
  try {
    return runNames(configuration);
  } catch (error) {
    if (error instanceof Unfit) return [];
    throw error;
  }
}

/** What there is of a stack, without touching it. */
function lookAt(stack: string) {
  const project = readProject();
  const owner = beforehand(() => readOwner(stack));
  const made = whoMade(project.name, stack, owner);
  return { project, owner, made, passphrase: once(() => stackPassphrase(stack)) };
}

function here(stack: string, target: string, { runner, backend }: Chosen): Claimant {
  const where = backend === inStackFolder ? inStackFolder : currentBackend(stack);
  return { checkout: fs.realpathSync(checkout), target, runner, backend: where };
}

async function makeRunner(
  project: Project,
  stack: string,
  configuration: Configuration,
  chosen: Chosen,
  passphrase: () => StackPassphrase,
): Promise<Runner> {
  // Each is loaded only when it is used: the Automation API alone takes half a second.
  if (chosen.runner === "embedded") {
    const { embeddedRunner } = await import("./runners/embeddedRunner");
    return embeddedRunner(project, stack, configuration, () => passphrase().text);
  }
  const { pulumiRunner } = await import("./runners/pulumiRunner");
  const { backend } = chosen;
  return pulumiRunner({ project, stack, configuration, passphrase, backend });
}

function configuredByPulumi(stack: string): Unfit {
  return new Unfit(
    `--config is given, but stack ${stack} was made by pulumi with a backend of your own`,
    "its settings are in the checkout's stack file, which is yours",
    `use pulumi config set --stack ${stack} key value`,
  );
}
