import * as fs from "node:fs";
import { checkout } from "../infra/host/folders";
import { checkOwner, currentBackend, type Claimant } from "../infra/stack/claim";
import { stackFiles } from "../infra/stack/files";
import { inStackFolder, readOwner } from "../infra/stack/owner";
import { UserError } from "../infra/contracts/errors";
import { load } from "../infra/contracts/target";
import type { Inputs } from "../results/result";
import { chosenRuns } from "../pipelines/matrix";
import { chooseRunner, whoMade, type Chosen } from "./runners/chooseRunner";
import { loadConfiguration, settingsOf, type Configuration } from "./config";
import { readProject, writeStackFile } from "./project";
import { installCli, isCliOnPath } from "./runners/pulumiCli";
import { endLeftPlugins } from "./runners/pulumiLeft";
import type { Runner, RunnerArgs } from "./runners/runner";
import type { Options, Values } from "./verb";
import { beforehand, Unfit } from "./errors";

/** All that a verb needs to work on a stack, checked before anything is touched. */
export interface Session extends RunnerArgs {
  /** The names of the runs that the settings ask for, in order. */
  readonly runs: readonly string[];
  readonly runner: Runner;
}

/** The options of verbs that may make a stack. */
export const deployOptions = {
  runner: {
    type: "string",
    value: "auto|pulumi|embedded",
    help:
      "by what a new stack is deployed; auto: the Pulumi CLI if it is on PATH, else the\n" +
      "embedded runner. A stack stays with the one that made it.",
  },
  "install-cli": {
    type: "boolean",
    help: "downloads the official Pulumi CLI first, and uses it for a new stack",
  },
  config: {
    type: "string",
    multiple: true,
    value: "key=value",
    help:
      "sets a key of docs/configuration.md and keeps it for this stack; key= unsets it, lists are\n" +
      "written a,b or as JSON, a secret may be in a file: key=@file",
  },
} as const satisfies Options;

/**
 * Opens a stack to deploy it; it may not exist yet. What `config` says is kept for later verbs.
 *
 * @param keep false: `config` holds for this session only
 * @throws Unfit when settings, runner, checkout or target do not fit
 */
export async function openToDeploy(
  stack: string,
  asked: Partial<Values<typeof deployOptions>> = {},
  keep = true,
): Promise<Session> {
  const { config: assignments = [], "install-cli": wantsCli = false } = asked;
  const { project, owner, made } = lookAt(stack);
  if (assignments.length > 0 && made?.backend === "own") {
    throw new Unfit(
      `--config is given, but stack ${stack} was made by the Pulumi CLI with your own backend`,
      "its settings are in your checkout's stack file",
      `use pulumi config set --stack ${stack} key value`,
    );
  }
  const configuration = await loadConfiguration(project, stack, assignments);
  const installing = wantsCli && made?.runner !== "embedded";
  const runs = runNames(configuration);
  const target = configuration.all[`${project.name}:target`];
  const cliThere = () => installing || isCliOnPath();
  const chosen = chooseRunner({ stack, target, asked: asked.runner, made, cliThere });
  if (owner) beforehand(() => checkOwner(stack, owner, here(stack, target, chosen)));
  if (installing) await installCli();
  if (keep && assignments.length > 0) {
    await writeStackFile(stackFiles(stack).settings, project, stack, configuration.overlay);
  }
  const runner = await makeRunner({ project, stack, configuration }, chosen);
  return { project, stack, configuration, runs, runner };
}

/**
 * Opens an existing stack, even where its settings are not valid any more: it can still be looked at
 * and destroyed.
 *
 * @returns undefined where nothing of the stack exists
 * @throws Unfit when another checkout owns it
 */
export async function openAsItIs(stack: string): Promise<Session | undefined> {
  const { owner, made } = lookAt(stack);
  if (owner && made) beforehand(() => checkOwner(stack, owner, here(stack, owner.target, made)));
  const described = await describeStack(stack);
  if (!described || !made) return undefined;
  return { ...described, runner: await makeRunner(described, made) };
}

/** A step with triggers, a run or an oracle, as the program declares it now. */
interface DeclaredRun {
  readonly inputs: Inputs;
  readonly spec: unknown;
  /** Whether a deployment would carry it out. */
  readonly isDone: boolean;
}

/**
 * Every run and oracle of a stack by its name, unchanged ones too: what a preview says of them.
 *
 * @throws UserError in the program's own words where it refuses the settings or the machine
 */
export async function declaredRuns({ runner }: Session): Promise<ReadonlyMap<string, DeclaredRun>> {
  const found = new Map<string, DeclaredRun>();
  const { ok, errors } = await runner.preview((event) => {
    if (!("op" in event) || event.type !== "command:local:Command") return;
    const { triggers, environment } = (event.inputs ?? {}) as {
      triggers?: readonly Inputs[];
      environment?: { SPEC: string };
    };
    if (triggers?.[0] && environment) {
      const isDone = event.op === "create" || event.op === "replace";
      found.set(event.name, { inputs: triggers[0], spec: JSON.parse(environment.SPEC), isDone });
    }
  });
  if (ok) return found;
  throw new UserError(
    `the preview failed: ${errors.join("\n")}`,
    "it says what each run depends on now",
    "fix that, then run the same command again",
  );
}

/** What can be said of a stack without a runner; undefined where nothing of it exists. */
export async function describeStack(stack: string): Promise<Omit<Session, "runner"> | undefined> {
  const { project, made } = lookAt(stack);
  if (!made) return undefined;
  const configuration = await loadConfiguration(project, stack);
  try {
    return { project, stack, configuration, runs: runNames(configuration) };
  } catch (error) {
    if (error instanceof Unfit) return { project, stack, configuration, runs: [] };
    throw error;
  }
}

/** The names of the runs that a configuration asks for. @throws Unfit for one that makes no sense */
function runNames(configuration: Configuration): string[] {
  const runs = beforehand(() => chosenRuns(settingsOf(configuration)));
  return runs.map(({ engine, workload }) => `${engine}/${workload}`);
}

/** What there is of a stack, without touching it; every verb that works on one begins with this. */
function lookAt(stack: string) {
  endLeftPlugins(); // of `pulumi up` too: the program itself ends no process
  const project = readProject();
  const owner = beforehand(() => readOwner(stack));
  return { project, owner, made: whoMade(project.name, stack, owner) };
}

function here(stack: string, target: string, { runner, backend }: Chosen): Claimant {
  const where = backend === inStackFolder ? inStackFolder : currentBackend(stack);
  return { checkout: fs.realpathSync(checkout), target, runner, backend: where };
}

/** Each is loaded only when it is used: the Automation API alone takes half a second. */
const runners = {
  embedded: () =>
    load(module, "./runners/embeddedRunner", () => import("./runners/embeddedRunner")),
  pulumi: () => load(module, "./runners/pulumiRunner", () => import("./runners/pulumiRunner")),
};

async function makeRunner(args: RunnerArgs, { runner, backend }: Chosen): Promise<Runner> {
  return (await runners[runner]()).makeRunner({ ...args, backend });
}
