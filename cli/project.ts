import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { parse, stringify } from "yaml";
import { quoted } from "../infra/contracts/errors";
import { attempt, checkout } from "../infra/host/folders";
import { stackFiles, writeOnce, writeWhole } from "../infra/stack/files";
import { Passphrase } from "../embedded/secrets";
import { isObject } from "../embedded/values";
import { Unfit } from "./errors";

/** How Pulumi.yaml declares a configuration key. */
export interface Declared {
  readonly type?: "string" | "integer" | "boolean" | "array" | "object";
  readonly default?: unknown;
  readonly value?: unknown;
}

export type Project = ReturnType<typeof readProject>;

export function readProject(folder: string = checkout) {
  const file = parse(fs.readFileSync(path.join(folder, "Pulumi.yaml"), "utf8")) as {
    name: string;
    config?: Record<string, Declared>;
  };
  const { name, config = {} } = file;
  const keys = Object.entries(config).map(([key, value]) => [fullKey(name, key), value] as const);
  /** Full keys such as `engine-comparison:fareAbove`. */
  const declared: Readonly<Record<string, Declared>> = Object.fromEntries(keys);
  return { folder, name, declared, file };
}

/** `fareAbove` and `engine-comparison:fareAbove` are the same key. */
export function fullKey(project: string, key: string): string {
  return key.includes(":") ? key : `${project}:${key}`;
}

/** One value of a stack's configuration, as text: lists and objects are JSON. */
interface ConfigValue {
  readonly text: string;
  readonly secret: boolean;
}

export type ConfigValues = Readonly<Record<string, ConfigValue>>;

interface StackFile {
  readonly encryptionsalt?: string;
  readonly config?: Readonly<Record<string, unknown>>;
}

/**
 * Reads a `Pulumi.<stack>.yaml`.
 *
 * @param stack whose passphrase is needed only when the file has secrets
 * @returns no values where there is no file
 * @throws Unfit for a file that is not one, or secrets that the passphrase does not open
 */
export async function readStackFile(file: string, project: Project, stack: string) {
  const { config, encryptionsalt } = load(file);
  const secrets = Object.values(config).some((value) => ciphertext(value) !== undefined);
  const key = secrets ? await open(file, stack, encryptionsalt) : undefined;
  const values = Object.entries(config).map(([name, value]): [string, ConfigValue] => {
    const sealed = ciphertext(value);
    return [
      fullKey(project.name, name),
      sealed === undefined || key === undefined
        ? { text: textOf(value), secret: false }
        : { text: unseal(file, name, key, sealed), secret: true },
    ];
  });
  return Object.fromEntries(values);
}

/**
 * Writes a `Pulumi.<stack>.yaml` that Pulumi itself reads, secrets encrypted, mode 0600.
 *
 * The salt of the file that was there is kept: Pulumi also encrypts the state with it.
 */
export async function writeStackFile(
  file: string,
  project: Project,
  stack: string,
  values: ConfigValues,
): Promise<void> {
  const salt = load(file).encryptionsalt;
  const secrets = Object.values(values).some(({ secret }) => secret);
  const make = () =>
    salt ? open(file, stack, salt) : Passphrase.make(stackPassphrase(stack).text);
  const key = secrets ? await make() : undefined;
  const config = Object.fromEntries(
    Object.entries(values).map(([name, { text, secret }]) => [
      name,
      secret && key ? { secure: key.encrypt(text) } : typed(text, project.declared[name]?.type),
    ]),
  );
  const encryptionsalt = key?.salt ?? salt;
  const content: StackFile = { ...(encryptionsalt ? { encryptionsalt } : {}), config };
  // Quoted, because Pulumi's YAML is an older one, where a plain off is no string.
  const style = { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN" } as const;
  writeWhole(file, stringify(content, style));
}

function load(file: string): StackFile & Required<Pick<StackFile, "config">> {
  try {
    const text = fs.readFileSync(file, "utf8");
    const content: unknown = parse(text, { logLevel: "error" }) ?? {};
    if (!isObject(content)) throw new TypeError("not a map of keys to values");
    const config = content.config ?? {};
    if (!isObject(config)) throw new TypeError("`config` is not a map of keys to values");
    JSON.stringify(config); // no value of YAML that refers to itself
    return { ...content, config };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { config: {} };
    throw new Unfit(
      `${file} cannot be read: ${(error as Error).message.split("\n")[0]}`,
      "the stack's settings are in it",
      "repair the file, or remove it to use the defaults",
    );
  }
}

function unseal(file: string, name: string, key: Passphrase, sealed: string): string {
  try {
    return key.decrypt(sealed);
  } catch {
    throw new Unfit(
      `the secret ${quoted(name)} in ${file} was not encrypted with this passphrase`,
      "the stack's settings cannot be read without it",
      "set it again (pulumi config set --secret, or --config), or remove it from the file",
    );
  }
}

/** Keys that were derived already, which takes a second each. */
const opened = new Map<string, Promise<Passphrase>>();

async function open(file: string, stack: string, salt = ""): Promise<Passphrase> {
  const passphrase = stackPassphrase(stack).text;
  const name = `${salt} ${passphrase}`;
  try {
    if (!opened.has(name)) opened.set(name, Passphrase.open(passphrase, salt));
    return await opened.get(name)!;
  } catch {
    throw new Unfit(
      `the passphrase does not open the secrets in ${file}`,
      "the stack's settings cannot be read without them",
      "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the passphrase that they were set with",
    );
  }
}

function ciphertext(value: unknown): string | undefined {
  const sealed = (value as { secure?: unknown } | null)?.secure;
  return typeof sealed === "string" ? sealed : undefined;
}

/** A value of YAML as Pulumi hands it to programs. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? "");
}

/** Text as a value of YAML that passes Pulumi's check against the type in Pulumi.yaml. */
function typed(text: string, type: Project["declared"][string]["type"]): unknown {
  if (type === undefined || type === "string") return text;
  // What is no JSON stays text, such as 007, which Pulumi takes for a whole number too.
  return attempt(() => JSON.parse(text) as unknown) ?? text;
}

/**
 * The passphrase of `stack`, and how the Pulumi CLI gets it: from Pulumi's own variables where the user
 * set one, else from a file in the stack folder that is made on first use, for this user alone.
 *
 * @throws Unfit when the user's file cannot be read
 */
export function stackPassphrase(stack: string): {
  readonly text: string;
  readonly environment: Readonly<Record<string, string>>;
} {
  const { PULUMI_CONFIG_PASSPHRASE: given, PULUMI_CONFIG_PASSPHRASE_FILE: file } = process.env;
  if (given !== undefined) return { text: given, environment: {} };
  if (file) return { text: readGiven(file), environment: {} };
  const own = stackFiles(stack).passphrase;
  if (!fs.existsSync(own)) writeOnce(own, `${randomBytes(24).toString("base64url")}\n`);
  return {
    text: fs.readFileSync(own, "utf8").trim(),
    environment: { PULUMI_CONFIG_PASSPHRASE_FILE: own },
  };
}

function readGiven(file: string): string {
  try {
    return fs.readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new Unfit(
      `PULUMI_CONFIG_PASSPHRASE_FILE is ${file}: ${(error as Error).message}`,
      "the stack's secrets are encrypted with that passphrase",
      "set it to the right file, or unset it to use the one in the stack folder",
    );
  }
}
