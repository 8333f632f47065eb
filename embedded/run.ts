import * as fs from "node:fs";
import { availableParallelism } from "node:os";
import { Engine } from "./engine";
import { UserError } from "../infra/userError";
import { lockStack } from "./lock";
import { serveMonitor } from "./monitor";
import { startProgram } from "./programHost";
import { Passphrase } from "./secrets";
import { decryptState, readDeployment, statePath, writeState, type State } from "./state";
import type { Deployment, EmbeddedOptions, Outcome, PreviewOutcome } from "./types";
import { STACK_TYPE, stackPrefix } from "./urn";
import { redact, reveal, type Properties } from "./values";

/** Makes the stack what the program says. @throws UserError before anything was done */
export async function up(options: EmbeddedOptions): Promise<Outcome> {
  return locked(options, "up", (stored, lost) => deploy(options, stored, { lost }));
}

/** Says what {@link up} would do; runs no Command, writes nothing and takes no lock. */
export async function preview(options: EmbeddedOptions): Promise<PreviewOutcome> {
  return deploy(options, readOwn(options), { preview: true });
}

/** Deletes all that the stack has, without running the program. */
export async function destroy(options: EmbeddedOptions): Promise<Outcome> {
  return locked(options, "destroy", (stored, lost) =>
    deploy(options, stored, { lost, program: false }),
  );
}

/** Commands read nothing back, so this only forgets the steps that a killed run left behind. */
export async function refresh(options: EmbeddedOptions): Promise<Outcome> {
  return locked(options, "refresh", async (stored) => {
    const passphrase = await openState(options.passphrase, stored);
    const state = decryptState(stored, passphrase);
    warnOfPending(state, options);
    if (state.pending.length) {
      writeState(options.stackFolder, { ...state, pending: [] }, passphrase);
    }
    const same = state.resources.length;
    options.onEvent({ kind: "summary", changes: { same } });
    return { ok: true, changes: { same }, outputs: shown(stackOutputs(state)), errors: [] };
  });
}

/**
 * The outputs of the last up.
 *
 * @param options `showSecrets` lays secrets open; without it the passphrase is not looked at
 */
export async function outputs(
  stackFolder: string,
  passphrase: string,
  options: { readonly showSecrets?: boolean } = {},
): Promise<Record<string, unknown>> {
  const stored = readDeployment(stackFolder);
  const key = options.showSecrets ? await openState(passphrase, stored) : undefined;
  const found = stackOutputs(decryptState(stored, key));
  return (options.showSecrets ? reveal(found) : shown(found)) as Record<string, unknown>;
}

/** The state as `pulumi stack import` takes it, secrets encrypted; undefined if there is none. */
export function exportState(stackFolder: string): Deployment | undefined {
  return readDeployment(stackFolder);
}

interface Mode {
  readonly preview?: boolean;
  /** False: nothing is wanted any more. @default true */
  readonly program?: boolean;
  /** Aborted when another process took the lock away. */
  readonly lost?: AbortSignal;
}

async function deploy(
  options: EmbeddedOptions,
  stored: Deployment | undefined,
  { preview = false, program = true, lost }: Mode,
): Promise<PreviewOutcome> {
  const parallel = options.parallel ?? 4 * availableParallelism();
  const passphrase = await openState(options.passphrase, stored);
  const state = decryptState(stored, passphrase);
  warnOfPending(state, options);
  const engine = new Engine({ ...options, parallel, preview }, state, (next) =>
    writeState(options.stackFolder, next, passphrase),
  );
  const onAbort = () => engine.fail("canceled");
  const onLost = () => engine.fail("the lock of the stack was lost to another process");
  options.signal?.addEventListener("abort", onAbort);
  lost?.addEventListener("abort", onLost);
  let failed = false;
  try {
    const unknown = (options.replaceUrns ?? []).find((urn) => !engine.has(urn));
    if (unknown) {
      engine.fail(`there is no resource ${unknown} to replace`);
    } else if (options.signal?.aborted) {
      onAbort();
    } else if (program) {
      failed = await runProgram(engine, { ...options, parallel, preview });
    }
    if (!failed && !engine.stopping.aborted) {
      await engine.deleteRest();
    }
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
    lost?.removeEventListener("abort", onLost);
  }
  const ok = () => !failed && engine.errors.length === 0;
  const found = shown(await engine.finish(!ok()));
  const { changes, errors, steps } = engine;
  options.onEvent({ kind: "summary", changes });
  return { ok: ok(), changes, outputs: found, errors, steps };
}

/** @returns whether the program failed */
async function runProgram(
  engine: Engine,
  options: EmbeddedOptions & { readonly parallel: number; readonly preview: boolean },
): Promise<boolean> {
  const server = await serveMonitor(engine, options);
  const program = startProgram({ ...options, monitor: server.address });
  engine.stopping.addEventListener("abort", () => program.endSoon());
  try {
    const problem = await program.ended;
    if (engine.stopping.aborted || problem === "") {
      return true; // the reason has been told
    }
    const early = "the program ended before it had registered all its resources";
    const message = problem ?? (server.programComplete() ? undefined : early);
    if (message) {
      engine.fail(message);
    }
    return message !== undefined;
  } finally {
    server.close();
  }
}

async function locked(
  options: EmbeddedOptions,
  verb: string,
  work: (stored: Deployment | undefined, lost: AbortSignal) => Promise<Outcome>,
): Promise<Outcome> {
  const lost = new AbortController();
  fs.mkdirSync(options.stackFolder, { recursive: true, mode: 0o700 });
  const unlock = await lockStack(options.stackFolder, verb, () => lost.abort());
  try {
    return await work(readOwn(options), lost.signal);
  } finally {
    await unlock().catch(() => undefined); // lost already
  }
}

/** The stack's state. @throws UserError when it cannot be trusted, or is that of another stack */
function readOwn({ stackFolder, stack, project }: EmbeddedOptions): Deployment | undefined {
  const stored = readDeployment(stackFolder);
  const own = stackPrefix(stack, project);
  const other = stored?.deployment.resources?.find(({ urn }) => !urn.startsWith(own));
  if (other) {
    throw new UserError(
      `${statePath(stackFolder)} is not the state of stack ${stack}: it has ${other.urn}.`,
      "What it says stands belongs to another stack, whose things would be deleted.",
      `Put this stack's own state back, or work with that stack by its own name and folder.`,
    );
  }
  return stored;
}

function openState(passphrase: string, stored: Deployment | undefined): Promise<Passphrase> {
  const salt = stored?.deployment.secrets_providers?.state.salt;
  return salt ? Passphrase.open(passphrase, salt) : Passphrase.make(passphrase);
}

function warnOfPending(state: State, options: EmbeddedOptions): void {
  for (const { type, resource } of state.pending) {
    options.onEvent({
      kind: "log",
      severity: "warning",
      urn: resource.urn,
      message: `an earlier run was interrupted while ${type} ${resource.urn}; what that step did is not known`,
    });
  }
}

function stackOutputs(state: State): Properties {
  return state.resources.find(({ type }) => type === STACK_TYPE)?.outputs ?? {};
}

function shown(properties: Properties): Record<string, unknown> {
  return redact(properties) as Record<string, unknown>;
}
