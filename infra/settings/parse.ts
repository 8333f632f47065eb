import type * as z from "zod";
import { namespace, secretKeys, settingKeys, settingsSchema, type AskedSettings } from "./schema";
import { quoted, UserError } from "../contracts/errors";

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
  const parsed = settingsSchema.safeParse(Object.fromEntries(own));
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
    const told =
      issue.code === "invalid_value" ? `must be one of ${issue.values.join(", ")}` : issue.message;
    return [`${namespace}:${key} is ${value}: it ${told}`];
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
