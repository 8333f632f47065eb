/** Runs a Pulumi program without the Pulumi CLI; README.md beside this says what is supported. */
import * as fs from "node:fs";
import { availableParallelism, hostname } from "node:os";
import * as path from "node:path";
import { Engine } from "./engine";
import { EmbeddedError } from "./errors";
import { tryLock } from "./fileLock";
import { serveMonitor } from "./monitor";
import { runProgram } from "./programHost";
import { Passphrase } from "./secrets";
import { decryptState, readDeployment, statePath, writeState, type State } from "./state";
import type { Deployment, EmbeddedOptions, Outcome, RunOptions } from "./types";
import { stackPrefix, stackType } from "./urn";
import { mapValues, redact, type Properties } from "./values";

export { EmbeddedError } from "./errors";
export type * from "./types";

/** Makes the stack what the program says. @throws EmbeddedError before anything was done */
export async function up(options: EmbeddedOptions): Promise<Outcome> {
  return locked(options, "up", deploy);
}

/** Says what {@link up} would do; runs no Command, writes nothing and takes no lock. */
export async function preview(options: EmbeddedOptions): Promise<Outcome> {
  return deploy(options, readOwn(options), "preview");
}

/** Deletes all that the stack has, without running the program. */
export async function destroy(options: EmbeddedOptions): Promise<Outcome> {
  return locked(options, "destroy", deploy);
}

/** Commands read nothing back, so this only forgets the steps that a killed run left behind. */
export async function refresh(options: EmbeddedOptions): Promise<Outcome> {
  return locked(options, "refresh", async (_, stored) => {
    const { state, passphrase } = await openState(options, stored);
    if (state.pending.length) {
      writeState(options.stackFolder, { ...state, pending: [] }, passphrase);
    }
    const changes = { same: state.resources.length };
    options.onEvent({ kind: "summary", changes });
    return { ok: true, changes, outputs: mapValues(stackOutputs(state), redact), errors: [] };
  });
}

/** The outputs of the last up, secrets as `[secret]`. */
export function outputs(stackFolder: string): Record<string, unknown> {
  return mapValues(stackOutputs(decryptState(readDeployment(stackFolder))), redact);
}

/** The state as `pulumi stack import` takes it, secrets encrypted; undefined for a new stack. */
export { readDeployment as exportState } from "./state";

/** @param verb `destroy` deletes all that exists, without running the program */
async function deploy(
  options: EmbeddedOptions,
  stored: Deployment | undefined,
  verb: "up" | "preview" | "destroy",
): Promise<Outcome> {
  const preview = verb === "preview";
  const run = { ...options, parallel: options.parallel ?? 4 * availableParallelism(), preview };
  const stopper = new AbortController();
  const opening = openState(options, stored).then(({ state, passphrase }) => {
    const write = (next: State) => writeState(options.stackFolder, next, passphrase);
    return new Engine(run, state, write, stopper);
  });
  // To derive the key takes as long as the program takes to load: neither waits for the other.
  const running = verb === "destroy" ? undefined : program(opening, run, stopper.signal);
  const engine = await opening.catch(async (error: unknown) => {
    stopper.abort();
    await running?.catch(() => undefined); // it fails for the same reason
    throw error;
  });
  const onAbort = () => engine.fail("canceled");
  options.signal?.addEventListener("abort", onAbort);
  let failed = false;
  try {
    const missing = options.replaceUrns?.find((urn) => !engine.planner.olds.has(urn));
    if (missing) engine.fail(`there is no resource ${missing} to replace`);
    else if (options.signal?.aborted) onAbort();
    failed = (await running) ?? false;
    if (!failed && !engine.stopping.aborted) await engine.deleteRest();
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
  }
  const ok = () => !failed && engine.errors.length === 0;
  const found = mapValues(await engine.finish(!ok()), redact);
  const { changes, errors } = engine;
  options.onEvent({ kind: "summary", changes });
  return { ok: ok(), changes, outputs: found, errors };
}

/** @returns whether the program failed */
async function program(opening: Promise<Engine>, options: RunOptions, stopping: AbortSignal) {
  const server = await serveMonitor(opening, options);
  try {
    const problem = await runProgram(options, server.address, stopping);
    if (stopping.aborted || problem === "") return true; // the reason is reported already
    const early = "the program ended before it had registered all its resources";
    const message = problem ?? (server.programComplete() ? undefined : early);
    if (message) (await opening).fail(message);
    return message !== undefined;
  } finally {
    server.close();
  }
}

async function locked<Verb extends string>(
  options: EmbeddedOptions,
  verb: Verb,
  work: (options: EmbeddedOptions, stored: Deployment | undefined, verb: Verb) => Promise<Outcome>,
): Promise<Outcome> {
  const { stackFolder } = options;
  fs.mkdirSync(stackFolder, { recursive: true, mode: 0o700 });
  const file = path.join(stackFolder, "lock.json");
  const release = tryLock(file);
  if (!release) {
    throw new EmbeddedError(
      `The stack in ${stackFolder} is in use by ${holderOf(file)}.`,
      "Two runs at once would overwrite each other's state.",
      "Wait until that process has ended, or end it, and try again.",
    );
  }
  try {
    const holder = { pid: process.pid, host: hostname(), verb, since: new Date().toISOString() };
    fs.writeFileSync(file, JSON.stringify(holder));
    return await work(options, readOwn(options), verb);
  } finally {
    fs.rmSync(file, { force: true });
    release();
  }
}

function holderOf(file: string): string {
  try {
    const text = fs.readFileSync(file, "utf8");
    const { pid, host, verb, since } = JSON.parse(text) as Record<string, string>;
    return `process ${pid} on ${host} (${verb}, since ${since})`;
  } catch {
    return "another process"; // which has not written its name yet
  }
}

/** The stack's state. @throws EmbeddedError when it is damaged or belongs to another stack */
function readOwn({ stackFolder, stack, project }: EmbeddedOptions): Deployment | undefined {
  const stored = readDeployment(stackFolder);
  const own = stackPrefix(stack, project);
  const other = stored?.deployment.resources?.find(({ urn }) => !urn.startsWith(own));
  if (!other) return stored;
  throw new EmbeddedError(
    `${statePath(stackFolder)} is not the state of stack ${stack}: it has ${other.urn}.`,
    "Resources of another stack would be deleted.",
    "Put the state of this stack back, or use the name and folder of the other stack.",
  );
}

/** Decrypts the state, and warns of the steps that an interrupted run left behind. */
async function openState(options: EmbeddedOptions, stored: Deployment | undefined) {
  const salt = stored?.deployment.secrets_providers?.state.salt;
  const passphrase = await (salt
    ? Passphrase.open(options.passphrase, salt)
    : Passphrase.make(options.passphrase));
  const state = decryptState(stored, passphrase);
  for (const { type, resource } of state.pending) {
    const message = `an earlier run was interrupted while ${type} ${resource.urn}; the effect of that step is unknown`;
    options.onEvent({ kind: "log", severity: "warning", urn: resource.urn, message });
  }
  return { state, passphrase };
}

function stackOutputs(state: State): Properties {
  return state.resources.find(({ type }) => type === stackType)?.outputs ?? {};
}
