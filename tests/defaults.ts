import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";

interface Declared {
  readonly type: string;
  readonly default?: unknown;
  readonly description: string;
}

/** The configuration keys that Pulumi.yaml declares. */
export const declaredConfig = (
  parse(fs.readFileSync(path.join(__dirname, "..", "Pulumi.yaml"), "utf8")) as {
    config: Record<string, Declared>;
  }
).config;

/** A stack's configuration when nothing is set: full keys to text, as Pulumi hands them over. */
export function defaultConfig(changed: Record<string, string> = {}): Record<string, string> {
  const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  const defaults = Object.fromEntries(
    Object.entries(declaredConfig).map(([key, declared]) => [key, text(declared.default)]),
  );
  return Object.fromEntries(
    Object.entries({ ...defaults, ...changed }).map(([key, value]) => [
      `engine-comparison:${key}`,
      value,
    ]),
  );
}

/** A machine that is large enough for any sensible setting. */
export const largeMachine = { cpus: 64, memoryBytes: 1024 * 2 ** 30 };
