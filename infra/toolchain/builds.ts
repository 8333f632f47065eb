import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { UserError } from "../contracts/errors";
import { startOf } from "../host/processTable";

/** A log file that grows while something is built. */
export class BuildLog {
  /** For a child's output. */
  readonly descriptor: number;

  constructor(readonly file: string) {
    this.descriptor = fs.openSync(file, "a", 0o600);
  }

  line(text: string): void {
    fs.writeSync(this.descriptor, `${new Date().toISOString()} ${text}\n`);
  }
}

export interface BuildCommand {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** What the user can do when it fails, besides reading the log. */
  readonly advice: string;
}

/**
 * Runs a command with its output in the log, in a process group of its own.
 *
 * @param build `pidFile` remembers the command while it runs; see {@link endAbandoned}
 * @throws UserError with the last lines of its output when it fails
 */
export async function runBuild(
  { log, pidFile }: { readonly log: BuildLog; readonly pidFile: string },
  { argv, env, cwd, advice }: BuildCommand,
): Promise<void> {
  const [program, ...args] = argv;
  const begin = fs.fstatSync(log.descriptor).size;
  log.line(`$ ${argv.join(" ")}`);
  const child = spawn(program, args, {
    env,
    cwd,
    detached: true,
    stdio: ["ignore", log.descriptor, log.descriptor],
  });
  const ended = new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) =>
      resolve(code === 0 ? undefined : signal ? `ended by ${signal}` : `exit code ${code}`),
    );
  });
  const passOn = () => child.pid && endGroup(child.pid);
  process.once("SIGTERM", passOn).once("SIGINT", passOn);
  if (child.pid) fs.writeFileSync(pidFile, `${child.pid} ${startOf(child.pid)}`);
  const failure = await ended;
  process.off("SIGTERM", passOn).off("SIGINT", passOn);
  fs.rmSync(pidFile, { force: true });
  if (failure !== undefined) {
    const output = fs.readFileSync(log.file).subarray(begin).toString();
    const last = output.trimEnd().split("\n").slice(-8).join("\n  | ");
    throw new UserError(
      `${program} failed (${failure}):\n  | ${last}`,
      "a tool that the stack needs could not be installed",
      `${advice}; the whole log is ${log.file}`,
    );
  }
}

/**
 * Ends what is left of a build whose script was killed: the provider cannot pass a cancel on to
 * it, and two builds in one folder would spoil each other.
 */
export function endAbandoned(pidFile: string): void {
  if (!fs.existsSync(pidFile)) return;
  const [pid, start] = fs.readFileSync(pidFile, "utf8").split(" ");
  if (pid && startOf(Number(pid)) === start) endGroup(Number(pid));
  fs.rmSync(pidFile, { force: true });
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // it has ended by itself
  }
}
