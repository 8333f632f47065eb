import * as fs from "node:fs";
import * as path from "node:path";
import { checkSecrets, namespace, secretKeys, type Settings } from "../infra/settings/schema";
import { stackFiles } from "../infra/stack/files";
import { readSettings } from "../infra/targets/readSettings";
import { quoted } from "../infra/contracts/errors";
import { fullKey, readStackFile, textOf } from "./project";
import type { ConfigValues, Declared, Project } from "./project";
import { beforehand, WrongUse } from "./errors";

export type Configuration = Awaited<ReturnType<typeof loadConfiguration>>;

/**
 * Puts a stack's configuration together. The later one wins: the defaults of Pulumi.yaml,
 * `Pulumi.<stack>.yaml` of the checkout, what `--config` set before, and `assignments`.
 *
 * @param assignments `key=value`, the key with or without its namespace; `key=` unsets what
 *   `--config` set before; of a secret, `@file` is the content of that file
 * @throws WrongUse for an assignment without a key, or a file that cannot be read
 */
export async function loadConfiguration(
  project: Project,
  stack: string,
  assignments: readonly string[] = [],
) {
  const file = path.join(project.folder, `Pulumi.${stack}.yaml`);
  const committed = await readStackFile(file, project, stack);
  const before = await readStackFile(stackFiles(stack).settings, project, stack);
  const overlay = assignments.reduce((values, text) => assign(project, values, text), before);
  const set = { ...committed, ...overlay };
  const defaults = Object.entries(project.declared).flatMap(([key, declared]) => {
    const value = declared.default ?? declared.value;
    return value === undefined ? [] : [[key, textOf(value)] as const];
  });
  return {
    /** Every key with a value: full key to value, the defaults of Pulumi.yaml applied. */
    all: { ...Object.fromEntries(defaults), ...textsOf(set) } as Readonly<Record<string, string>>,
    secretKeys: Object.keys(set).filter((key) => set[key].secret),
    /** What the checkout's file sets. */
    committed,
    /** What is set for this stack, by the checkout's file or by `--config`. */
    set: set as ConfigValues,
    /** What `--config` set, now or before: kept in the stack folder. */
    overlay,
  };
}

/**
 * The settings of a configuration, checked against this machine.
 *
 * @throws Unfit that names every key that makes no sense, or is a secret in clear text
 */
export function settingsOf({ all, committed, overlay }: Configuration): Settings {
  return beforehand(() => {
    for (const values of [committed, overlay]) {
      checkSecrets(textsOf(values), (key) => values[key].secret);
    }
    return readSettings(all);
  });
}

function textsOf(values: ConfigValues): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, { text }]) => [key, text]));
}

function assign(project: Project, values: ConfigValues, assignment: string): ConfigValues {
  const [, name, value] = /^([^=\s:]+(?::[^=\s:]+)*)=(.*)$/s.exec(assignment) ?? [];
  if (name === undefined) {
    throw new WrongUse(`--config is ${quoted(assignment)}: it takes key=value`);
  }
  const key = fullKey(project.name, name);
  const { [key]: _before, ...others } = values;
  if (value === "") return others;
  const secret = isSecret(key);
  const text = secret ? fromFile(name, value) : written(value, project.declared[key]);
  return { ...others, [key]: { text, secret } };
}

/** A secret may be in a file: everybody on the machine sees the arguments of a command. */
function fromFile(name: string, value: string): string {
  if (!value.startsWith("@")) return value;
  try {
    return fs.readFileSync(value.slice(1), "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    throw new WrongUse(`--config ${name}=${value}: ${(error as Error).message}`);
  }
}

/** Lists may be written as JSON or with commas; everything else is taken as it is. */
function written(value: string, declared: Declared | undefined): string {
  if (declared?.type !== "array" || value.trimStart().startsWith("[")) return value;
  return JSON.stringify(value.split(",").map((item) => item.trim()));
}

/** As the settings say; keys of other namespaces, such as `aws:secretKey`, by their name. */
function isSecret(key: string): boolean {
  return (
    secretKeys.some((name) => key === `${namespace}:${name}`) ||
    /(password|passphrase|secret|token|secretkey|accesskey|apikey)$/i.test(key)
  );
}
