import * as z from "zod";
import { quoted, UserError } from "../contracts/errors";
import { clusterSettings, containerSettings } from "./platforms";
import { dataSettings, engineSettings, runSettings } from "./runs";
import { storeSettings } from "./store";
import type { Setting } from "./values";

/** The prefix of this project's keys in a stack's configuration. */
export const namespace = "engine-comparison";

const entries = {
  ...runSettings,
  ...dataSettings,
  ...engineSettings,
  ...containerSettings,
  ...storeSettings,
  ...clusterSettings,
};
type Entries = typeof entries;

/** Every setting by its key. Pulumi.yaml and docs/configuration.md are made from this. */
export const settingEntries: Readonly<Record<string, Setting>> = entries;

/** Each setting as it is asked for, from the text that Pulumi's configuration holds. */
const schema = z.strictObject(
  Object.fromEntries(Object.entries(entries).map(([key, entry]) => [key, entry.schema])) as {
    [Key in keyof Entries]: Entries[Key]["schema"];
  },
);

export type AskedSettings = Readonly<z.output<typeof schema>>;

/** The validated settings of a stack, with `auto` resolved by its target; memory sizes are in bytes. */
export type Settings = Omit<AskedSettings, "daftRunner"> & {
  readonly daftRunner: Exclude<AskedSettings["daftRunner"], "auto">;
  /** Of what computes without a cluster: the same cores as Spark's workers together. */
  readonly threads: number;
};

export const settingKeys = Object.keys(entries) as (keyof Entries)[];

/** The value of every setting that is not set: text, as Pulumi hands it over. */
export const settingDefaults: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(settingEntries).map(([key, { default: value }]) => [
    key,
    typeof value === "string" ? value : JSON.stringify(value),
  ]),
);

/** Keys whose values are encrypted and never shown. */
export const secretKeys: readonly string[] = settingKeys.filter((key) => entries[key].secret);

export type InputKey = {
  [Key in keyof Entries]: Entries[Key]["input"] extends true ? Key : never;
}[keyof Entries];

export const inputKeys = settingKeys.filter((key): key is InputKey => entries[key].input);

/**
 * Validates a stack's configuration, each key by itself; readSettings.ts of the targets does the rest.
 *
 * @param config full keys (`engine-comparison:fareAbove`) to values as Pulumi holds them: text,
 *   with lists as JSON. Keys of other namespaces (`pulumi:`, `aws:`) are passed over.
 * @throws UserError that names every offending key with its value
 */
export function parseSettings(config: Readonly<Record<string, string>>): AskedSettings {
  const own = Object.entries(config)
    .filter(([key]) => key.startsWith(`${namespace}:`))
    .map(([key, value]) => [key.slice(namespace.length + 1), value] as const);
  const parsed = schema.safeParse(Object.fromEntries(own));
  if (!parsed.success) throw wrongSettings(parsed.error, Object.fromEntries(own));
  return parsed.data;
}

/**
 * Refuses secrets that are set in clear text.
 *
 * @param isEncrypted whether the value of a full key is encrypted in its file
 */
export function checkSecrets(
  config: Readonly<Record<string, string>>,
  isEncrypted: (key: string) => boolean,
): void {
  const inClear = secretKeys.filter((name) => {
    const key = `${namespace}:${name}`;
    return Boolean(config[key]) && !isEncrypted(key);
  });
  if (inClear.length === 0) return;
  throw new UserError(
    inClear.map((name) => `${namespace}:${name} is set without encryption`).join("\n"),
    "a secret in clear text can be read in the stack's file, and in every copy of it",
    `encrypt it: ${inClear.map((name) => `pulumi config set --secret ${name}`).join("; ")}. ` +
      "Or remove it from the file and give it by --config key=@file",
  );
}

function wrongSettings(error: z.ZodError, values: Record<string, string>): UserError {
  const wrong = error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => {
        const name = /^[\w.-]{1,100}$/.test(key)
          ? `${namespace}:${key}`
          : quoted(`${namespace}:${key}`);
        return `${name} is not a setting${didYouMean(key)}`;
      });
    }
    const key = String(issue.path[0]);
    if (!(key in values)) return [`${namespace}:${key} is missing`];
    const value = secretKeys.includes(key) ? "[secret]" : quoted(values[key]);
    const rule =
      issue.code === "invalid_value" ? `must be one of ${issue.values.join(", ")}` : issue.message;
    return [`${namespace}:${key} is ${value}: it ${rule}`];
  });
  return wrongValue(wrong.join("\n"));
}

export function wrongValue(what: string): UserError {
  return new UserError(
    what,
    "nothing was touched: a stack is deployed only from settings that make sense",
    "correct it with `pulumi config set` or `--config key=value`; docs/configuration.md has every key",
  );
}

function didYouMean(key: string): string {
  const near = settingKeys.find(
    (known) => known.toLowerCase() === key.toLowerCase().replace(/[-_]/g, ""),
  );
  return near ? `; did you mean ${near}?` : "";
}
