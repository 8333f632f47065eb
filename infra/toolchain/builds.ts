import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { guardGroup } from "../../embedded/guard";
import { UserError } from "../contracts/errors";
import { makeOwnFolders, ownEnvironment, type OwnFolders } from "../host/environment";

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
  /** What it gets besides the environment of all builds. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** What the user can do when it fails, besides reading the log. */
  readonly advice: string;
}

/** The folders of a build's commands, removed when it ends. @param folder what is built */
export function buildFolders(folder: string): OwnFolders & { readonly all: string } {
  const all = `${folder}.own`;
  return { all, home: path.join(all, "home"), temporary: path.join(all, "tmp") };
}

/**
 * Runs a command with its output in the log. It is ended with all its processes when this process
 * ends: two builds in one folder would spoil each other.
 *
 * @throws UserError with the last lines of its output when it fails
 */
export async function runBuild(
  { log, folder }: { readonly log: BuildLog; readonly folder: string },
  { argv, env, cwd, advice }: BuildCommand,
): Promise<void> {
  const [program, ...args] = argv;
  const begin = fs.fstatSync(log.descriptor).size;
  log.line(`$ ${argv.join(" ")}`);
  const child = spawn(program, args, {
    env: { ...ownEnvironment(makeOwnFolders(buildFolders(folder))), ...env },
    cwd,
    detached: true,
    stdio: ["ignore", log.descriptor, log.descriptor],
  });
  const unguard = guardGroup(child.pid);
  const failure = await new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) =>
      resolve(code === 0 ? undefined : signal ? `ended by ${signal}` : `exit code ${code}`),
    );
  });
  unguard();
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
