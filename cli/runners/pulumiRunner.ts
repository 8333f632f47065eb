import * as fs from "node:fs";
import * as path from "node:path";
import {
  CommandError,
  ConcurrentUpdateError,
  LocalWorkspace,
  type OutputMap,
  type PreviewOptions,
  type Stack,
} from "@pulumi/pulumi/automation";
import { stackFiles, writeWhole } from "../../infra/stack/files";
import { runnerVariable, stackBackendUrl } from "../../infra/stack/claim";
import { UserError } from "../../infra/contracts/errors";
import { stringify } from "yaml";
import { stackPassphrase, writeStackFile } from "../project";
import type { Chosen } from "./chooseRunner";
import { findCli } from "./pulumiCli";
import { PulumiEvents } from "./pulumiEvents";
import { endLeftPlugins, hasPending, inUse, stackLocks } from "./pulumiLeft";
import type { Outcome, Runner, RunnerArgs, StateResource, Watch } from "./runner";

/** Backend `stack folder`: a file backend there; `own`: the one that the user has logged in to. */
type PulumiRunnerArgs = RunnerArgs & Pick<Chosen, "backend">;

/** How long a CLI may take that was asked to end at once (milliseconds). */
const grace = 10_000;

const never = new AbortController().signal;

type CallOptions = Pick<PreviewOptions, "onEvent" | "onError" | "signal" | "color">;

/** Deploys a stack by the Pulumi CLI, driven through the Automation API. */
export async function makeRunner(args: PulumiRunnerArgs): Promise<Runner> {
  const own = args.backend === "own";
  const pulumiCommand = await findCli();
  const workDir = own ? args.project.folder : await projectFolder(args);
  const place = { stackName: args.stack, workDir };
  const options = { pulumiCommand, envVars: environment(args) };
  let selecting: Promise<Stack> | undefined;
  const selected = () =>
    (selecting ??= explained(() =>
      own
        ? LocalWorkspace.selectStack(place, options)
        : LocalWorkspace.createOrSelectStack(place, options),
    ));
  const outputs = async () => {
    const stack = await selected();
    return shown(await explained(() => stack.outputs()));
  };

  async function follow(
    { onEvent, stop = never, kill = never }: Partial<Watch> & Pick<Watch, "onEvent">,
    call: (stack: Stack, options: CallOptions) => Promise<object>,
  ): Promise<Outcome> {
    const stack = await selected();
    const events = new PulumiEvents(onEvent);
    let printed = "";
    const result = await ended(args, { stop, kill }, () =>
      call(stack, {
        onEvent: (event) => events.take(event),
        onError: (text) => void (printed += text),
        color: "never",
        // In a terminal, Ctrl-C reaches the CLI without us; twice would mean to end at once.
        ...(process.stdin.isTTY ? {} : { signal: stop }),
      }),
    );
    const ok = result !== undefined;
    if (!ok) endLeftPlugins(); // it may have been killed
    if (!ok && events.errors.length === 0) events.errors.push(lastWords(printed));
    const { changes, errors } = events;
    const { outputs = {} }: { outputs?: OutputMap } = result ?? {};
    return { ok, changes, errors, outputs: shown(outputs) };
  }

  /** As follow, for what changes the stack, and so needs its lock. */
  async function change(...asked: Parameters<typeof follow>): Promise<Outcome> {
    if (!own) await recover(args, await selected());
    return follow(...asked);
  }

  return {
    name: "pulumi",
    async up(watch, replace = []) {
      const outcome = await change(watch, (stack, options) =>
        stack.up({ ...options, continueOnError: true, replace: [...replace] }),
      );
      if (outcome.ok || watch.stop.aborted) return outcome;
      // The outputs are worth showing, but must not hide why the rest failed.
      return { ...outcome, outputs: await outputs().catch(() => ({})) };
    },
    preview: (onEvent) => follow({ onEvent }, (stack, options) => stack.preview(options)),
    destroy: (watch) =>
      change(watch, (stack, options) => stack.destroy({ ...options, continueOnError: true })),
    refresh: (watch) => change(watch, (stack, options) => stack.refresh(options)),
    outputs,
    async resources() {
      const stack = await selected();
      const state = await explained(() => stack.exportStack());
      return (state.deployment as { resources?: StateResource[] } | null)?.resources ?? [];
    },
  };
}

/**
 * Writes a project folder for the CLI into the stack folder: Pulumi.yaml, which points to the
 * checkout's program, and `Pulumi.<stack>.yaml` with all that is set. The CLI writes into the
 * latter, and remembers a selected stack for the former, so the checkout is left as it is.
 */
async function projectFolder({ project, stack, configuration }: PulumiRunnerArgs): Promise<string> {
  const { project: folder, backend } = stackFiles(stack);
  fs.mkdirSync(backend, { recursive: true, mode: 0o700 });
  const content = stringify({ ...project.file, main: project.folder });
  writeWhole(path.join(folder, "Pulumi.yaml"), content);
  const settings = path.join(folder, `Pulumi.${stack}.yaml`);
  await writeStackFile(settings, project, stack, configuration.set);
  return folder;
}

function environment({ stack, backend }: PulumiRunnerArgs): Record<string, string> {
  delete process.env[runnerVariable];
  return {
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // The types are checked by `npm test`; checking them again at each run takes seconds.
    PULUMI_NODEJS_TRANSPILE_ONLY: "true",
    // Else the CLI fetches the provider of every package in node_modules, AWS's included.
    PULUMI_OPTION_SKIP_PLUGIN_PRE_INSTALL: "true",
    ...(backend === "own"
      ? {}
      : { PULUMI_BACKEND_URL: stackBackendUrl(stack), ...stackPassphrase(stack).environment }),
  };
}

/**
 * A CLI that was killed leaves a lock and unfinished operations; our steps can all be repeated.
 * `pulumi cancel` would take the lock of whoever has begun meanwhile, too.
 */
async function recover(args: PulumiRunnerArgs, stack: Stack): Promise<void> {
  const [project, name] = [args.project.name, args.stack];
  const { living, dead } = stackLocks(project, name);
  if (living) throw inUse(name, living);
  for (const { pid, file } of dead) {
    console.error(`removing the lock of a Pulumi CLI that was killed (process ${pid})`);
    fs.rmSync(file, { force: true });
  }
  if (!hasPending(project, name)) return;
  const state = await stack.exportStack();
  const settled = { ...(state.deployment as object), pending_operations: [] };
  await stack.importStack({ ...state, deployment: settled });
}

/** What the call came to; undefined when it failed, or the user would not wait for its end. */
async function ended<T>(
  { project, stack }: PulumiRunnerArgs,
  watch: Omit<Watch, "onEvent">,
  call: () => Promise<T>,
): Promise<T | undefined> {
  // The CLI ends its commands when it is stopped, and then has its state to write.
  const killed = new Promise<undefined>((resolve) =>
    watch.kill.addEventListener("abort", () => setTimeout(() => resolve(undefined), grace)),
  );
  if (watch.stop.aborted) return undefined; // by now, or the CLI would never hear of it
  try {
    return await Promise.race([call(), killed]);
  } catch (error) {
    if (error instanceof ConcurrentUpdateError) {
      throw inUse(stack, stackLocks(project.name, stack).living);
    }
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

function shown(outputs: OutputMap): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, one]) => [name, one.secret ? "[secret]" : one.value]),
  );
}

/** Tells a call's failure in the CLI's own words. @throws UserError */
async function explained<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const lines = error.message.split("\n").map((line) => line.trim());
    const said = new Set(lines.filter((line) => line.startsWith("error: ")));
    throw new UserError(
      [...said].join("\n") || lastWords(error.message),
      "the Pulumi CLI manages this stack's state",
      "check that backend (pulumi whoami -v) and passphrase are those it was made with",
    );
  }
}

/** Of what the CLI said on stderr, the lines that tell why it failed. */
function lastWords(printed: string): string {
  const lines = printed.split("\n").filter((line) => line.trim() !== "");
  return lines.slice(-8).join("\n") || "the Pulumi CLI failed and did not say why";
}
