import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { npm } from "../contracts/check";
import { UserError } from "../contracts/errors";
import { datasetEnvironment, plainEnvironment } from "../host/environment";
import { checkout, stackFolder } from "../host/folders";
import { readStepRecord } from "../stack/records";
import { jobEnvironment } from "../toolchain/tools";
import { pythonOf } from "../toolchain/tools";

/**
 * What the step of a service that jobs need has recorded.
 *
 * @param name of the step
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
  const environment = mayDownload ? datasetEnvironment() : plainEnvironment();
  const child = spawn(pythonOf(stack), ["-m", "engine_comparison.leader"], {
    cwd,
    env: { ...environment, ...jobEnvironment(stack), ...more },
    stdio: ["pipe", "pipe", "pipe"],
  });
  if (scratch) child.once("close", () => fs.rmSync(scratch, { recursive: true, force: true }));
  return child;
}

/** Environment of a shell in which `python` is the stack's, with the engines. */
export function pythonVariables(stack: string): Record<string, string> {
  const plain = plainEnvironment();
  const bin = path.dirname(pythonOf(stack));
  return {
    ...plain,
    ...jobEnvironment(stack),
    PATH: [bin, plain.PATH].filter(Boolean).join(path.delimiter),
    VIRTUAL_ENV: path.dirname(bin),
  };
}

/** Starts the user's shell on this terminal, with an environment added to that of this process. */
export function shellHere(
  stack: string,
  environment: Readonly<Record<string, string>>,
): ChildProcess {
  const program = process.env.SHELL || "/bin/sh";
  const startUp = path.join(stackFolder(stack), `bashrc.${process.pid}`);
  const child = spawn(program, shellArguments(stack, program, environment.PATH, startUp), {
    cwd: checkout,
    // eslint-disable-next-line no-restricted-syntax -- it is the user's own shell
    env: { ...process.env, ...environment },
    stdio: "inherit",
  });
  return child.once("close", () => fs.rmSync(startUp, { force: true }));
}

/**
 * The user's own start-up file may put another Python first, so ours goes first again after it.
 *
 * @param startUp file to write that to
 */
function shellArguments(
  stack: string,
  program: string,
  searchPath: string,
  startUp: string,
): string[] {
  if (!process.stdin.isTTY) return [];
  if (path.basename(program) !== "bash") return ["-i"];
  const [bin] = searchPath.split(path.delimiter);
  const quoted = `'${bin.replaceAll("'", "'\\''")}'`;
  const lines = [
    "[ -f ~/.bashrc ] && . ~/.bashrc",
    `PATH=${quoted}:$PATH`,
    `PS1="(${stack}) $PS1"`,
  ];
  fs.writeFileSync(startUp, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
  return ["--rcfile", startUp, "-i"];
}
