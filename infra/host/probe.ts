import { execFileSync } from "node:child_process";
import { toolEnvironment } from "./environment";

/**
 * What a program prints, or undefined where it is missing, fails or does not answer in time.
 *
 * @param env the environment; by default with what leads to an interpreter
 */
export function probe(
  argv: readonly string[],
  timeoutMs = 10_000,
  env = toolEnvironment("language"),
): string | undefined {
  const [program, ...args] = argv;
  try {
    return execFileSync(program, args, {
      encoding: "utf8",
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      stdio: ["ignore", "pipe", "ignore"],
      env,
    });
  } catch {
    return undefined;
  }
}
