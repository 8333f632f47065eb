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

function setting<Schema extends z.ZodType<unknown, string>>(
  type: Setting["type"],
  description: string,
  value: unknown,
  schema: Schema,
): Setting<Schema, true> {
  return { type, default: value, description, secret: false, input: true, schema };
}

export function integer(description: string, rule: { default: number; min: number; max: number }) {
  const { min, max } = rule;
  const schema = z
    .string()
    .regex(/^-?\d+$/, "must be a whole number")
    .transform(Number)
    .refine((n) => n >= min && n <= max, `must be from ${min} to ${max}`);
  return setting("integer", description, rule.default, schema);
}

export function choice<const Words extends readonly string[]>(
  description: string,
  words: Words,
  usual: Words[number],
) {
  return setting("string", description, usual, z.enum(words));
}

export function flag(description: string, usual: boolean) {
  const schema = z.enum(["true", "false"]).transform((text) => text === "true");
  return setting("boolean", description, usual, schema);
}

/** A size; in bytes. */
export const bytes = z
  .string()
  .regex(/^[1-9]\d*[mg]$/, "must be a size such as 1536m or 2g")
  .transform((text) => Number(text.slice(0, -1)) * (text.endsWith("g") ? 2 ** 30 : 2 ** 20));

export function memory(description: string, usual: `${number}${"m" | "g"}`) {
  return setting("string", description, usual, bytes);
}

/** What a text must match, and how that is said. */
interface Rule {
  readonly pattern: RegExp;
  readonly must: string;
}

/** Text that matches a rule, or that a registry checks. */
export function text(description: string, usual: string, rule?: Rule) {
  const schema = rule ? z.string().regex(rule.pattern, rule.must) : z.string();
  return setting("string", description, usual, schema);
}

const optionalText = z.string().transform((given) => (given === "" ? undefined : given));

/** Text that may be empty, which means that the target or the stack decides. */
export function optional(description: string, rule?: Rule) {
  const schema = optionalText.refine(
    (value) => value === undefined || !rule || rule.pattern.test(value),
    rule?.must,
  );
  return setting("string", description, "", schema);
}

const noControls: Rule = {
  pattern: /^\P{Cc}+$/u,
  must: "must be without line breaks and other control characters",
};

/** Optional text that is encrypted. Keys and tokens go into headers and files of lines. */
export function secret(description: string, rule = noControls) {
  return { ...notInput(optional(description, rule)), secret: true };
}

/** An optional http or https address. @param must what to say about a wrong one */
export function address(description: string, must: string, { path = false } = {}) {
  const fits = (url: string) => isPlainUrl(url) && (path || new URL(url).pathname === "/");
  const schema = optionalText
    .refine((url) => url === undefined || fits(url), must)
    .transform((url) => (path ? url?.replace(/\/+$/, "") : url && new URL(url).origin));
  return setting("string", description, "", schema);
}

function isPlainUrl(given: string): boolean {
  if (!URL.canParse(given)) return false;
  const { protocol, username, password, search, hash } = new URL(given);
  return /^https?:$/.test(protocol) && !(username || password || search || hash);
}

/** A list of names as JSON. Whoever uses the list knows which names exist. */
export function names(description: string) {
  const list = z.array(z.string().min(1)).refine((all) => new Set(all).size === all.length);
  const schema = json(list, () => "must be a list of different names");
  return notInput(setting("array", description, [], schema));
}

/** An object as JSON. @param must what to say about a wrong value */
export function object<Schema extends z.ZodType>(
  description: string,
  map: Schema,
  must: (issue: z.core.$ZodIssue) => string,
) {
  return notInput(setting("object", description, {}, json(map, must)));
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

export function notInput<Schema extends z.ZodType<unknown, string>>(
  given: Setting<Schema>,
): Setting<Schema, false> {
  return { ...given, input: false };
}
