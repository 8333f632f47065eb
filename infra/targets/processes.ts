import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { npm, UserError } from "../contracts/errors";
import { datasetVariables, ownEnvironment } from "../host/environment";
import { checkout } from "../host/folders";
import { makeStackFolders } from "../stack/files";
import { readStepRecord } from "../stack/records";
import { jobEnvironment, pythonOf } from "../toolchain/tools";

/**
 * What the step of a service that jobs need has recorded.
 *
 * @throws UserError where it has recorded nothing
 */
export function resultOf<Result>(stack: string, name: string): Result {
  const record = readStepRecord(stack, name);
  if (record) return record.result as Result;
  throw new UserError(
    `stack ${stack} has no record of ${name}`,
    "the job needs it",
    `run ${npm(stack, "start")} (or pulumi up) first`,
  );
}

/**
 * Starts the leader of a job as a process of this user.
 *
 * @param options.scratch the job's folder, removed when it ends
 * @param options.more variables besides those of all jobs
 */
export function startLeader(
  stack: string,
  options: {
    readonly mayDownload?: boolean;
    readonly cwd?: string;
    readonly scratch?: string;
    readonly more?: Readonly<Record<string, string>>;
  },
): ChildProcessWithoutNullStreams {
  const { mayDownload, cwd = checkout, scratch, more } = options;
  const child = spawn(pythonOf(stack), ["-m", "engine_comparison.leader"], {
    cwd,
    env: {
      ...ownEnvironment(makeStackFolders(stack)),
      ...(mayDownload ? datasetVariables() : {}),
      ...jobEnvironment(stack),
      ...more,
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  if (scratch) child.once("close", () => fs.rmSync(scratch, { recursive: true, force: true }));
  return child;
}

/** Environment of a shell in which `python` is the stack's, with the engines. */
export function pythonVariables(stack: string): Record<string, string> {
  const bin = path.dirname(pythonOf(stack));
  return {
    ...jobEnvironment(stack),
    PATH: [bin, process.env.PATH].filter(Boolean).join(path.delimiter),
    VIRTUAL_ENV: path.dirname(bin),
  };
}

/** A word as a shell takes it for one. */
export function shellQuoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Starts the user's shell on this terminal, with an environment added to that of this process. */
export function shellHere(stack: string, environment: Readonly<Record<string, string>>) {
  const program = process.env.SHELL || "/bin/sh";
  const [bin] = environment.PATH.split(path.delimiter);
  // The user's own start-up file may put another Python first, so ours goes first again after it.
  const startUp = [
    "[ -f ~/.bashrc ] && . ~/.bashrc",
    `PATH=${shellQuoted(bin)}:$PATH`,
    `PS1="(${stack}) $PS1"`,
  ].join("\n");
  const inBash = ["-c", 'exec "$0" --rcfile <(echo "$1") -i', program, startUp];
  const interactive = path.basename(program) === "bash" ? inBash : ["-i"];
  return spawn(program, process.stdin.isTTY ? interactive : [], {
    cwd: checkout,
    // eslint-disable-next-line no-restricted-syntax -- it is the user's own shell
    env: { ...process.env, ...environment },
    stdio: "inherit",
  });
}
