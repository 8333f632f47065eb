import { spawn } from "node:child_process";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { guardGroup } from "./guard";
import type { RunOptions } from "./types";

/** How long a program gets to end once the deployment stops (milliseconds). */
const grace = 5_000;

/** The exit code by which the SDK says that it has reported its error already. */
const reported = 32;

/**
 * Runs the Pulumi program of a folder as the CLI's Node.js language host does.
 *
 * @param stopping aborted: the program has to end soon
 * @returns what went wrong, as a sentence; empty when it is reported already; undefined if all is well
 */
export async function runProgram(options: RunOptions, monitor: string, stopping: AbortSignal) {
  const { projectDir } = options;
  const run = require.resolve("@pulumi/pulumi/cmd/run", { paths: [projectDir] });
  const args = [
    ...[run, "--monitor", monitor, "--engine", monitor],
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
      // A proxy cannot reach the monitor, and gRPC asks it even for 127.0.0.1.
      no_grpc_proxy: "127.0.0.1",
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
  const endSoon = () => void (timer = setTimeout(() => child.kill("SIGKILL"), grace));
  stopping.addEventListener("abort", endSoon, { once: true });
  if (stopping.aborted) endSoon();
  const problem = await new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(`the program could not be started: ${error.message}`));
    child.once("close", (code, signal) => {
      if (code === 0 || code === reported) return resolve(code === 0 ? undefined : "");
      const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
      resolve(`the program in ${path.basename(projectDir)} ${how}`);
    });
  });
  stopping.removeEventListener("abort", endSoon);
  clearTimeout(timer);
  unguard();
  return problem;
}
