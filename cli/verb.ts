import { parseArgs } from "node:util";
import { quoted, scriptOf } from "../infra/contracts/errors";
import { WrongUse } from "./errors";

export interface Option {
  readonly type: "boolean" | "string";
  /** May be given several times. */
  readonly multiple?: true;
  readonly short?: string;
  readonly default?: string;
  /** What the usage has in place of the value, e.g. `key=value`. */
  readonly value?: string;
  /** One or more lines. */
  readonly help: string;
}

export type Options = Readonly<Record<string, Option>>;

/** What a command line has for each option. */
export type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O }>>["values"];

/** An argument that is no option. */
interface Positional {
  readonly name: string;
  readonly optional?: true;
  readonly multiple?: true;
  readonly help?: string;
}

interface Arguments<O extends Options = Options> {
  readonly stack: string;
  readonly positionals: readonly string[];
  readonly options: Values<O>;
}

/** A word of the command line: `npm run <verb>`, or `npm start` for `start`. */
export interface Verb<O extends Options = Options> {
  /** What it does, in a line. */
  readonly summary: string;
  /** Besides `--stack` and `--help`. */
  readonly options?: O;
  readonly positionals?: readonly Positional[];
  /** The stack where `--stack` is not given. @default {@link usualStack} */
  readonly stack?: string;
  /** The last lines of the help. */
  readonly notes?: string;
  /** @returns the exit code: 0 done, 1 failed with the reason in the last lines */
  run(args: Arguments<O>): Promise<number>;
}

/** Declares a verb; its `run` gets the options in their types. */
export function verb<const O extends Options>(declaration: Verb<O>): Verb<O> {
  return declaration;
}

const usualStack = "local";

/**
 * Reads a verb's command line.
 *
 * @returns undefined when help is asked for
 * @throws WrongUse for what the verb does not have
 */
export function parseArguments<O extends Options>(
  { options, positionals: wanted = [], stack: usual = usualStack }: Verb<O>,
  argv: readonly string[],
): Arguments<O> | undefined {
  const { values, positionals } = parse({ ...options }, argv);
  if (values.help) return undefined;
  if (positionals.length < wanted.filter(({ optional }) => !optional).length) {
    throw new WrongUse("an argument is missing");
  }
  if (positionals.length > wanted.length && !wanted.some(({ multiple }) => multiple)) {
    throw new WrongUse(`${quoted(positionals[wanted.length])} is one argument too many`);
  }
  const stack = values.stack ?? usual;
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(stack)) {
    throw new WrongUse(
      `--stack is ${quoted(stack)}: a name has letters, digits, dashes, underscores and dots`,
    );
  }
  return { stack, positionals, options: values as unknown as Values<O> };
}

function parse(options: Options, argv: readonly string[]) {
  const common = { stack: { type: "string" }, help: { type: "boolean", short: "h" } } as const;
  try {
    const all = { ...options, ...common };
    return parseArgs({ args: [...argv], options: all, allowPositionals: true });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code?.startsWith("ERR_PARSE_ARGS_")) throw new WrongUse(message.split(". ")[0]);
    throw error;
  }
}

/** `usage: npm run outputs -- [--json] [name] [--stack name]` */
export function usageOf(name: string, { options = {}, positionals = [] }: Verb): string {
  const words = [
    ...Object.entries(options).map(([option, { type, value = "text", multiple }]) => {
      return `[--${option}${type === "string" ? ` ${value}` : ""}${multiple ? " ..." : ""}]`;
    }),
    ...positionals.map(({ name, optional, multiple }) => {
      const text = `${name}${multiple ? " ..." : ""}`;
      return optional ? `[${text}]` : `<${text}>`;
    }),
  ];
  return `usage: ${[scriptOf(name), "--", ...words, "[--stack name]"].join(" ")}`;
}

export function helpOf(name: string, declared: Verb): string {
  const { options = {}, positionals = [], stack = usualStack, notes } = declared;
  const rows = [
    ...positionals.flatMap(({ name, help }) => (help ? [[name, help]] : [])),
    ...Object.entries(options).map(([option, { short, default: usual, help }]) => [
      `${short ? `-${short}, ` : ""}--${option}`,
      usual === undefined ? help : `${help}; default ${usual}`,
    ]),
    ["--stack", `the stack's name; default ${stack}`],
  ];
  const width = Math.max(...rows.map(([term]) => term.length)) + 2;
  const lines = rows.map(
    ([term, help]) => term.padEnd(width) + help.replaceAll("\n", `\n${" ".repeat(width)}`),
  );
  const all = [usageOf(name, declared), "", declared.summary, "", ...lines];
  return [...all, ...(notes ? ["", notes] : [])].join("\n");
}
