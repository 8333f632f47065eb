import { spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { checkout } from "../host/folders";
import { stackFiles } from "../stack/files";

/** Starts the user's shell on this terminal, with an environment added to that of this process. */
export function shellHere(
  stack: string,
  environment: Readonly<Record<string, string>>,
): ChildProcess {
  const program = process.env.SHELL || "/bin/sh";
  const startUp = stackFiles(stack).shellStart;
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
