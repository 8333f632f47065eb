import * as z from "zod";

/** One setting: what people read about it, and what its text must be. */
export interface Setting<
  Schema extends z.ZodType<unknown, string> = z.ZodType<unknown, string>,
  Input extends boolean = boolean,
> {
  /** The type that Pulumi.yaml declares. */
  readonly type: "string" | "integer" | "boolean" | "array" | "object";
  readonly default: unknown;
  readonly description: string;
  /** A secret is encrypted in every file, and no message shows it. */
  readonly secret: boolean;
  /** Whether it may be an input of a run. Lists, objects and secrets may not. */
  readonly input: Input;
  /** Reads the text that Pulumi's configuration holds. */
  readonly schema: Schema;
}

interface Described<Default> {
  readonly default: Default;
  readonly description: string;
}

function setting<Schema extends z.ZodType<unknown, string>>(
  type: Setting["type"],
  { default: value, description }: Described<unknown>,
  schema: Schema,
): Setting<Schema, true> {
  return { type, default: value, description, secret: false, input: true, schema };
}

/** A whole number from `min` to `max`. */
export function integer(given: Described<number> & { min: number; max: number }) {
  const { min, max } = given;
  const schema = z
    .string()
    .regex(/^-?\d+$/, "must be a whole number")
    .transform(Number)
    .refine((n) => n >= min && n <= max, `must be from ${min} to ${max}`);
  return setting("integer", given, schema);
}

/** One of some words. */
export function choice<const Words extends readonly string[]>(
  words: Words,
  given: Described<Words[number]>,
) {
  return setting("string", given, z.enum(words));
}

export function flag(given: Described<boolean>) {
  const schema = z.enum(["true", "false"]).transform((text) => text === "true");
  return setting("boolean", given, schema);
}

/** A size; in bytes. */
export const bytes = z
  .string()
  .regex(/^[1-9]\d*[mg]$/, "must be a size such as 1536m or 2g")
  .transform((text) => Number(text.slice(0, -1)) * (text.endsWith("g") ? 2 ** 30 : 2 ** 20));

export function memory(given: Described<`${number}${"m" | "g"}`>) {
  return setting("string", given, bytes);
}

/** Text that matches a pattern, or that a registry checks. */
export function text(given: Described<string> & { pattern?: RegExp; must?: string }) {
  const { pattern, must } = given;
  return setting("string", given, pattern ? z.string().regex(pattern, must) : z.string());
}

const optionalText = z.string().transform((given) => (given === "" ? undefined : given));

/** Text that may be empty, which means that the target or the stack decides. */
export function optional(given: { description: string; pattern?: RegExp; must?: string }) {
  const { description, pattern, must } = given;
  const schema = optionalText.refine(
    (value) => value === undefined || !pattern || pattern.test(value),
    must,
  );
  return setting("string", { default: "", description }, schema);
}

/** Optional text that is encrypted. Keys and tokens go into headers and files of lines. */
export function secret(given: { description: string; pattern?: RegExp; must?: string }) {
  const noControls = {
    pattern: /^\P{Cc}+$/u,
    must: "must be without line breaks and other control characters",
  };
  return { ...notInput(optional({ ...noControls, ...given })), secret: true };
}

/** An optional http or https address. */
export function address(given: { description: string; must: string; path?: boolean }) {
  const { description, must, path = false } = given;
  const fits = (url: string) => isPlainUrl(url) && (path || new URL(url).pathname === "/");
  const schema = optionalText
    .refine((url) => url === undefined || fits(url), must)
    .transform((url) => (path ? url?.replace(/\/+$/, "") : url && new URL(url).origin));
  return setting("string", { default: "", description }, schema);
}

function isPlainUrl(given: string): boolean {
  if (!URL.canParse(given)) return false;
  const { protocol, username, password, search, hash } = new URL(given);
  return /^https?:$/.test(protocol) && !(username || password || search || hash);
}

/** A list of names as JSON. Whoever uses the list knows which names exist. */
export function names(given: { description: string }) {
  const list = z.array(z.string().min(1)).refine((all) => new Set(all).size === all.length);
  const schema = json(list, () => "must be a list of different names");
  return notInput(setting("array", { default: [], ...given }, schema));
}

/** An object as JSON. @param must what to say about a wrong value */
export function object<Schema extends z.ZodType>(
  given: { description: string },
  map: Schema,
  must: (issue: z.core.$ZodIssue) => string,
) {
  return notInput(setting("object", { default: {}, ...given }, json(map, must)));
}

function json<Schema extends z.ZodType>(schema: Schema, must: (issue: z.core.$ZodIssue) => string) {
  return z.string().transform((given, context): z.output<Schema> => {
    const parsed = schema.safeParse(parseJson(given));
    if (parsed.success) return parsed.data;
    context.addIssue(must(parsed.error.issues[0]));
    return z.NEVER;
  });
}

function parseJson(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch {
    return undefined;
  }
}

/** A setting that is no input of any run. */
export function notInput<Schema extends z.ZodType<unknown, string>>(
  given: Setting<Schema>,
): Setting<Schema, false> {
  return { ...given, input: false };
}
