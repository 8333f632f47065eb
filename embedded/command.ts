import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { guardGroup } from "./guard";
import { reveal, unsupportedKind, type Properties, type Value } from "./values";

/**
 * `command:local:Command` as the provider pulumi-command 1.2.1 carries it out
 * (provider/pkg/provider/local of pulumi/pulumi-command).
 */
export const commandType = "command:local:Command";
export const commandVersion = "1.2.1";

export interface CommandOptions {
  /** Where Commands start. */
  readonly cwd: string;
  readonly killSignal: AbortSignal | undefined;
}

const supported = [
  ...["create", "update", "delete", "environment", "stdin", "triggers"],
  ...["addPreviousOutputInEnv", "logging"],
];

/** What of the inputs is not supported, as one sentence; undefined when all is. */
export function unsupportedInput(inputs: Properties): string | undefined {
  for (const [name, value] of Object.entries(inputs)) {
    const what = `the input "${name}" of ${commandType}`;
    const kind = supported.includes(name) ? unsupportedKind(value) : "";
    if (kind !== undefined) {
      return `${kind && `${kind} in `}${what} is not supported by the embedded runner`;
    }
  }
  return undefined;
}

/**
 * Runs a verb of a Command, `create` if there is no `update`. A delete takes as inputs the outputs of
 * the last create or update, which hold the inputs of that time. What is printed is stored as it is,
 * whatever was secret in `environment` or `stdin`: the provider lets secrecy flow between equal names
 * only.
 *
 * @param old the outputs of the verb before; `stdout` and `stderr` stay if there is nothing to run
 */
export async function act(
  verb: "create" | "update" | "delete",
  inputs: Properties,
  old: Properties,
  { cwd, killSignal }: CommandOptions,
): Promise<Properties> {
  const script = verb === "update" ? (inputs.update ?? inputs.create) : inputs[verb];
  const before = { stdout: textOf(old.stdout) ?? "", stderr: textOf(old.stderr) ?? "" };
  const commandLine = textOf(script);
  if (commandLine === undefined) return { ...inputs, ...before };
  const given = reveal(inputs) as Properties;
  const stdin = textOf(given.stdin);
  const previous = given.addPreviousOutputInEnv !== false && {
    ...(before.stdout && { PULUMI_COMMAND_STDOUT: before.stdout }),
    ...(before.stderr && { PULUMI_COMMAND_STDERR: before.stderr }),
  };
  // In a separate session a Ctrl-C in the terminal reaches the runner only, as with a provider.
  const child = spawn("/bin/sh", ["-c", commandLine], {
    cwd,
    env: { ...process.env, ...(given.environment as Record<string, string>), ...previous },
    stdio: [stdin ? "pipe" : "ignore", "pipe", "pipe"],
    detached: true,
  });
  const unguard = guardGroup(child.pid);
  // A script need not read its stdin.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(stdin);

  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const kill = () => {
    try {
      process.kill(-(child.pid as number), "SIGKILL");
    } catch {
      // it ended by itself just now
    }
    // A daemon that left the group may hold the streams for ever.
    setTimeout(() => [child.stdout, child.stderr].forEach((stream) => stream?.destroy()), 2000);
  };
  killSignal?.addEventListener("abort", kill);
  try {
    // "close" comes when the shell has ended and every descendant has closed both streams.
    const failure = await new Promise<string | undefined>((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("close", (code, signal) =>
        resolve(code === 0 ? undefined : signal ? `signal: ${signal}` : `exit status ${code}`),
      );
    });
    if (failure === undefined) {
      const printed = { stdout: stdout().replace(/\n$/, ""), stderr: stderr().replace(/\n$/, "") };
      return { ...inputs, ...printed };
    }
    const why = killSignal?.aborted ? " (canceled)" : "";
    const tail = stderr().trimEnd().split("\n").slice(-20).join("\n");
    throw new Error(`${failure}${why}: running ${JSON.stringify(commandLine)}:\n${tail}`.trimEnd());
  } finally {
    unguard();
    killSignal?.removeEventListener("abort", kill);
  }
}

function textOf(value: Value | undefined): string | undefined {
  const plain = reveal(value ?? null);
  return typeof plain === "string" ? plain : undefined;
}

/** Reads a stream; gives its text so far when called. */
function collect(stream: Readable | null): () => string {
  let text = "";
  stream?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  return () => text;
}
