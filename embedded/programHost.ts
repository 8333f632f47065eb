import { spawn } from "node:child_process";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { guardGroup } from "./guard";
import type { EmbeddedOptions } from "./types";

/** A program that had to be ended because it did not end by itself gets so long (milliseconds). */
const GRACE = 5_000;

/** The exit code by which the SDK says that it has reported its error already. */
const REPORTED = 32;

export interface ProgramOptions extends Pick<
  EmbeddedOptions,
  "projectDir" | "project" | "stack" | "config" | "secretKeys" | "onEvent"
> {
  readonly monitor: string;
  readonly parallel: number;
  readonly preview: boolean;
}

export interface Program {
  /** What went wrong, in a sentence; empty when it is reported already; undefined when all is well. */
  readonly ended: Promise<string | undefined>;
  /** Ends it if it has not ended in five seconds. */
  endSoon(): void;
}

/** Runs the Pulumi program of a folder as the CLI's Node.js language host does. */
export function startProgram(options: ProgramOptions): Program {
  const { projectDir } = options;
  const run = require.resolve("@pulumi/pulumi/cmd/run", { paths: [projectDir] });
  const args = [
    ...[run, "--monitor", options.monitor, "--engine", options.monitor],
    ...["--organization", "organization", "--project", options.project, "--stack", options.stack],
    ...["--parallel", String(options.parallel), ...(options.preview ? ["--dry-run"] : [])],
    ...["--pwd", projectDir, "--root-directory", projectDir, "."],
  ];
  const child = spawn(process.execPath, args, {
    cwd: projectDir,
    env: {
      ...process.env,
      PULUMI_CONFIG: JSON.stringify(options.config),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(options.secretKeys),
      // The CLI's own loader; without type checks it starts faster than tsx (measured).
      PULUMI_NODEJS_TYPESCRIPT: "true",
      PULUMI_NODEJS_TRANSPILE_ONLY: "true",
    },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a Ctrl-C in the terminal is the runner's to handle
  });
  // Without its monitor the SDK would take a minute and gigabytes to word its error for nobody.
  const unguard = guardGroup(child.pid);
  for (const [stream, severity] of [
    [child.stdout, "info"],
    [child.stderr, "warning"],
  ] as const) {
    createInterface({ input: stream }).on("line", (message) =>
      options.onEvent({ kind: "log", severity, message }),
    );
  }
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(`the program could not be started: ${error.message}`));
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      unguard();
      if (code === 0 || code === REPORTED) {
        resolve(code === 0 ? undefined : "");
      } else {
        const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
        resolve(`the program in ${path.basename(projectDir)} ${how}`);
      }
    });
  });
  return {
    ended,
    endSoon: () => {
      timer ??= setTimeout(() => child.kill("SIGKILL"), GRACE);
    },
  };
}
