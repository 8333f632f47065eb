import * as fs from "node:fs";
import * as path from "node:path";
import type { EngineEvent, OutputMap, Stack } from "@pulumi/pulumi/automation";
import { stackFolder } from "../../infra/host/folders";
import { runnerVariable, stackBackendUrl } from "../../infra/stack/owner";
import { endLeftPlugins } from "../../infra/host/pulumiPlugins";
import { UserError } from "../../infra/contracts/errors";
import type { Configuration } from "../config";
import type { StackPassphrase } from "../passphrase";
import { once } from "../once";
import type { Project } from "../project";
import { findCli } from "./pulumiCli";
import { PulumiEvents } from "./pulumiEvents";
import { hasPending, inUse, stackLocks } from "./pulumiLock";
import { writeProjectFolder } from "./pulumiProject";
import type { Outcome, PreviewOutcome, Runner, Standing, Watch } from "./runner";

export interface PulumiRunnerArgs {
  readonly project: Project;
  readonly stack: string;
  readonly configuration: Configuration;
  readonly passphrase: () => StackPassphrase;
  /** `stack folder`: a file backend there; `own`: the backend that the user has logged in to. */
  readonly backend: "stack folder" | "own";
}

/** How long a CLI that is told to end at once may take (milliseconds). */
const grace = 10_000;

interface CallOptions {
  readonly onEvent: (event: EngineEvent) => void;
  readonly onError: (text: string) => void;
  readonly signal?: AbortSignal;
  readonly color: "never";
}

/** Deploys a stack by the Pulumi CLI, driven through the Automation API. */
export async function pulumiRunner(args: PulumiRunnerArgs): Promise<Runner> {
  const { LocalWorkspace } = await import("@pulumi/pulumi/automation");
  const own = args.backend === "own";
  const { stack: name } = args;
  const project = args.project.name;
  const pulumiCommand = await findCli();
  const workDir = own ? args.project.folder : await projectFolder(args);
  const place = { stackName: args.stack, workDir };
  const options = { pulumiCommand, envVars: environment(args) };
  const selected = once(() =>
    explained(() =>
      own
        ? LocalWorkspace.selectStack(place, options)
        : LocalWorkspace.createOrSelectStack(place, options),
    ),
  );
  const outputs = async () => {
    const stack = await selected();
    return shown(await explained(() => stack.outputs()));
  };

  async function follow(
    watch: Watch,
    call: (stack: Stack, options: CallOptions) => Promise<object>,
  ): Promise<PreviewOutcome> {
    const stack = await selected();
    const events = new PulumiEvents((event) => watch.onEvent(event));
    let told = "";
    const result = await ended(args, watch, () =>
      call(stack, {
        onEvent: (event) => events.take(event),
        onError: (text) => void (told += text),
        color: "never",
        // In a terminal, Ctrl-C reaches the CLI without us; twice would mean to end at once.
        ...(process.stdin.isTTY ? {} : { signal: watch.stop }),
      }),
    );
    const ok = result !== undefined;
    if (!ok) endLeftPlugins(); // it may have been killed
    if (!ok && events.errors.length === 0) events.errors.push(lastWords(told));
    const { changes, errors, steps } = events;
    const { outputs = {} }: { outputs?: OutputMap } = result ?? {};
    return { ok, changes, errors, steps, outputs: shown(outputs) };
  }

  /** As follow, for what changes the stack, and so needs its lock. */
  async function change(...args: Parameters<typeof follow>): Promise<Outcome> {
    if (!own) await recover(project, name, await selected());
    return follow(...args);
  }

  return {
    name: "pulumi",
    async up(watch, replace = []) {
      const outcome = await change(watch, (stack, options) =>
        stack.up({ ...options, continueOnError: true, replace: [...replace] }),
      );
      if (outcome.ok || watch.stop.aborted) return outcome;
      // What stands is worth telling, but no reason to lose why the rest does not.
      return { ...outcome, outputs: await outputs().catch(() => ({})) };
    },
    preview: (watch) => follow(watch, (stack, options) => stack.preview(options)),
    destroy: (watch) =>
      change(watch, (stack, options) => stack.destroy({ ...options, continueOnError: true })),
    refresh: (watch) => change(watch, (stack, options) => stack.refresh(options)),
    outputs,
    resources: async () => resources(await selected()),
  };
}

async function projectFolder(args: PulumiRunnerArgs): Promise<string> {
  const { project, stack, configuration } = args;
  fs.mkdirSync(path.join(stackFolder(stack), "pulumi-backend"), { recursive: true, mode: 0o700 });
  return writeProjectFolder(project, stack, configuration, () => args.passphrase().text);
}

function environment({ stack, passphrase, backend }: PulumiRunnerArgs): Record<string, string> {
  delete process.env[runnerVariable];
  return {
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // The types are checked by `npm test`; checking them again at each run takes seconds.
    PULUMI_NODEJS_TRANSPILE_ONLY: "true",
    ...(backend === "own"
      ? {}
      : { PULUMI_BACKEND_URL: stackBackendUrl(stack), ...passphrase().environment }),
  };
}

/**
 * A CLI that was killed leaves a lock and unfinished operations; our steps can all be repeated.
 * `pulumi cancel` would take the lock of whoever has begun meanwhile, too.
 */
async function recover(project: string, name: string, stack: Stack): Promise<void> {
  const { living, dead } = stackLocks(project, name);
  if (living) throw inUse(name, living);
  endLeftPlugins();
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
  watch: Watch,
  call: () => Promise<T>,
): Promise<T | undefined> {
  const { CommandError, ConcurrentUpdateError } = await import("@pulumi/pulumi/automation");
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
  const all = Object.entries(outputs);
  return Object.fromEntries(
    all.map(([name, { value, secret }]) => [name, secret ? "[secret]" : (value as unknown)]),
  );
}

async function resources(stack: Stack): Promise<readonly Standing[]> {
  const { deployment } = (await explained(() => stack.exportStack())) as {
    deployment: { resources?: Standing[] } | null;
  };
  return deployment?.resources ?? [];
}

/** Tells a call's failure in the CLI's own words. @throws UserError */
async function explained<T>(call: () => Promise<T>): Promise<T> {
  const { CommandError } = await import("@pulumi/pulumi/automation");
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const lines = error.message.split("\n").map((line) => line.trim());
    const said = new Set(lines.filter((line) => line.startsWith("error: ")));
    throw new UserError(
      [...said].join("\n") || lastWords(error.message),
      "the Pulumi CLI keeps this stack's state",
      "see that the backend (pulumi whoami -v) and the passphrase are those it was made with",
    );
  }
}

/** Of what the CLI said on stderr, the lines that tell why it failed. */
function lastWords(told: string): string {
  const lines = told.split("\n").filter((line) => line.trim() !== "");
  return lines.slice(-8).join("\n") || "the Pulumi CLI failed and did not say why";
}
