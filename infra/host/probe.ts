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

/** The numbers that a version begins with: `v3.248.0-dev` is [3, 248, 0]. */
export function numbersOf(version: string): number[] {
  const [numbers = ""] = /\d+(\.\d+)*/.exec(version) ?? [];
  return numbers.split(".").map(Number);
}

/** Whether one version comes before another, by as many numbers as the other has. */
export function isOlder(version: string, than: string): boolean {
  const one = numbersOf(version);
  for (const [i, number] of numbersOf(than).entries()) {
    if ((one[i] ?? 0) !== number) return (one[i] ?? 0) < number;
  }
  return false;
}
