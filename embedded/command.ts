import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as path from "node:path";
import { guardGroup } from "./guard";
import { covers, differences, type Difference } from "./diff";
import {
  isObject,
  isSecret,
  reveal,
  secret,
  UNKNOWN,
  unsupportedKind,
  type Properties,
  type Value,
} from "./values";

/**
 * `command:local:Command` as the provider pulumi-command 1.2.1 carries it out
 * (provider/pkg/provider/local of pulumi/pulumi-command).
 */
export const COMMAND_TYPE = "command:local:Command";
export const COMMAND_VERSION = "1.2.1";

export interface RunOptions {
  /** Relative paths, and Commands without `dir`, start here. */
  readonly cwd: string;
  /** Seconds after which the command's process group is killed; 0: never. */
  readonly timeout: number;
  readonly killSignal: AbortSignal | undefined;
  readonly onLine: (line: string) => void;
}

type Kind = "a string" | "a boolean" | "a list" | "a list of strings" | "a map of strings";
const INPUTS: Record<string, Kind> = {
  addPreviousOutputInEnv: "a boolean",
  create: "a string",
  delete: "a string",
  dir: "a string",
  environment: "a map of strings",
  interpreter: "a list of strings",
  logging: "a string",
  stdin: "a string",
  triggers: "a list",
  update: "a string",
};
const REFUSED = ["archivePaths", "assetPaths"];

/** What is wrong with the inputs, as one sentence; undefined when they are right. */
export function checkInputs(inputs: Properties): string | undefined {
  for (const [name, value] of Object.entries(inputs)) {
    if (REFUSED.includes(name)) {
      return `the input "${name}" of ${COMMAND_TYPE} is not supported by the embedded runner`;
    }
    const kind = INPUTS[name];
    if (!kind) {
      return `${COMMAND_TYPE} has no input "${name}"`;
    }
    const unsupported = unsupportedKind(value);
    if (unsupported) {
      return `${unsupported} in the input "${name}" is not supported by the embedded runner`;
    }
    if (!fits(reveal(value), kind)) {
      return `the input "${name}" of ${COMMAND_TYPE} must be ${kind}`;
    }
  }
  return undefined;
}

function fits(value: Value, kind: Kind): boolean {
  const text = (item: Value) => typeof item === "string";
  switch (value === UNKNOWN ? "unknown" : kind) {
    case "a string":
      return text(value);
    case "a boolean":
      return typeof value === "boolean";
    case "a list":
      return Array.isArray(value);
    case "a list of strings":
      return Array.isArray(value) && value.every(text);
    case "a map of strings":
      return isObject(value) && Object.values(value).every(text);
    default:
      return true;
  }
}

/** Whether these differences of inputs need a new resource: `triggers` always do. */
export function needsReplace(found: readonly Difference[], replaceOnChanges: string[]): boolean {
  return found.some(({ path }) => path[0] === "triggers" || covers(replaceOnChanges, path));
}

export function compareInputs(old: Properties = {}, now: Properties = {}): Difference[] {
  return differences(old, now);
}

export function newId(name: string): string {
  return name + randomBytes(4).toString("hex");
}

/** Outputs in a preview: what a command will print is not known before it has run. */
export function previewOutputs(inputs: Properties): Properties {
  return { ...inputs, stdout: UNKNOWN, stderr: UNKNOWN };
}

export async function create(inputs: Properties, options: RunOptions): Promise<Properties> {
  return { ...inputs, ...(await run(inputs.create, inputs, { stdout: "", stderr: "" }, options)) };
}

/** Runs `update`, or `create` where there is none. */
export async function update(
  inputs: Properties,
  oldOutputs: Properties,
  options: RunOptions,
): Promise<Properties> {
  const before = { stdout: text(oldOutputs.stdout) ?? "", stderr: text(oldOutputs.stderr) ?? "" };
  return { ...inputs, ...(await run(inputs.update ?? inputs.create, inputs, before, options)) };
}

/** @param outputs of the last create or update; they hold its inputs too */
export async function remove(outputs: Properties, options: RunOptions): Promise<void> {
  const before = { stdout: text(outputs.stdout) ?? "", stderr: text(outputs.stderr) ?? "" };
  await run(outputs.delete, outputs, before, options);
}

interface Printed {
  readonly stdout: string;
  readonly stderr: string;
}

function text(value: Value | undefined): string | undefined {
  const plain = reveal(value ?? null);
  return typeof plain === "string" ? plain : undefined;
}

async function run(
  script: Value | undefined,
  inputs: Properties,
  before: Printed,
  options: RunOptions,
): Promise<Printed> {
  const commandLine = text(script);
  if (commandLine === undefined) {
    return before;
  }
  const given = reveal(inputs) as Properties;
  const interpreter = given.interpreter as string[] | undefined;
  const [program, ...args] = interpreter?.length ? interpreter : ["/bin/sh", "-c"];
  const logging = given.logging ?? "stdoutAndStderr";
  const stdin = text(given.stdin);
  const previous =
    given.addPreviousOutputInEnv === false
      ? {}
      : {
          ...(before.stdout && { PULUMI_COMMAND_STDOUT: before.stdout }),
          ...(before.stderr && { PULUMI_COMMAND_STDERR: before.stderr }),
        };
  // A session of its own: a Ctrl-C in the terminal reaches the runner only, as with a provider.
  const child = spawn(program ?? "", [...args, commandLine], {
    cwd: path.resolve(options.cwd, text(given.dir) ?? "."),
    env: { ...process.env, ...(given.environment as Record<string, string>), ...previous },
    stdio: [stdin ? "pipe" : "ignore", "pipe", "pipe"],
    detached: true,
  });
  const unguard = guardGroup(child.pid);
  // What a script does not read of its stdin is nobody's error.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(stdin);

  const shows = (stream: string) => logging === "stdoutAndStderr" || logging === stream;
  const stdout = collect(child.stdout, shows("stdout") ? options.onLine : undefined);
  const stderr = collect(child.stderr, shows("stderr") ? options.onLine : undefined);

  let why = "";
  const kill = (reason: string) => {
    why = reason;
    try {
      process.kill(-(child.pid as number), "SIGKILL");
    } catch {
      // it ended by itself just now
    }
    // A daemon that left the group may hold the streams for ever.
    setTimeout(() => [child.stdout, child.stderr].forEach((stream) => stream?.destroy()), 2000);
  };
  const onKill = () => kill(" (canceled)");
  const limit = options.timeout
    ? setTimeout(() => kill(` (over its limit of ${options.timeout} s)`), options.timeout * 1000)
    : undefined;
  options.killSignal?.addEventListener("abort", onKill);
  try {
    // "close" comes when the shell has ended and every descendant has let go of both streams.
    const failure = await new Promise<string | undefined>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("close", (code, signal) =>
        resolve(code === 0 ? undefined : signal ? `signal: ${signal}` : `exit status ${code}`),
      );
    });
    if (failure) {
      const tail = stderr().trimEnd().split("\n").slice(-20).join("\n");
      throw new Error(
        `${failure}${why}: running ${JSON.stringify(commandLine)}:\n${tail}`.trimEnd(),
      );
    }
    return { stdout: stdout().replace(/\n$/, ""), stderr: stderr().replace(/\n$/, "") };
  } finally {
    unguard();
    clearTimeout(limit);
    options.killSignal?.removeEventListener("abort", onKill);
  }
}

/** Gathers a stream, hands on its lines, and gives its whole text when called. */
function collect(
  stream: NodeJS.ReadableStream | null,
  onLine?: (line: string) => void,
): () => string {
  const chunks: Buffer[] = [];
  let line = "";
  stream?.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    if (onLine) {
      const lines = (line + chunk.toString("utf8")).split("\n");
      line = lines.pop() ?? "";
      lines.forEach(onLine);
    }
  });
  stream?.on("end", () => line && onLine?.(line));
  return () => Buffer.concat(chunks).toString("utf8");
}

/**
 * The outputs as they go to the state and the program: an output whose input is secret is secret,
 * and so are those that the program named. What was printed stays readable, whatever was secret in
 * `environment` or `stdin`: the provider lets secrecy flow between equal names only.
 */
export function markSecrets(
  outputs: Properties,
  inputs: Properties,
  named: readonly string[],
): Properties {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, value]) => {
      const hide = named.includes(name) || isSecret(inputs[name]);
      return [name, hide && !isSecret(value) ? secret(value) : value];
    }),
  );
}
