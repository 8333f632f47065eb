import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import { checkout } from "../infra/host/folders";

/** How Pulumi.yaml declares a configuration key. */
export interface Declared {
  readonly type?: "string" | "integer" | "boolean" | "array" | "object";
  readonly default?: unknown;
  readonly value?: unknown;
}

/** The Pulumi project of a checkout. */
export interface Project {
  readonly folder: string;
  readonly name: string;
  /** Full keys such as `engine-comparison:fareAbove`. */
  readonly declared: Readonly<Record<string, Declared>>;
  /** All of Pulumi.yaml. */
  readonly file: Readonly<Record<string, unknown>>;
}

/** Reads the project in `folder`. */
export function readProject(folder: string = checkout): Project {
  const file = parse(fs.readFileSync(path.join(folder, "Pulumi.yaml"), "utf8")) as {
    name: string;
    config?: Record<string, Declared>;
  };
  const declared = Object.fromEntries(
    Object.entries(file.config ?? {}).map(([key, value]) => [fullKey(file.name, key), value]),
  );
  return { folder, name: file.name, declared, file };
}

/** `fareAbove` and `engine-comparison:fareAbove` are the same key. */
export function fullKey(project: string, key: string): string {
  return key.includes(":") ? key : `${project}:${key}`;
}
