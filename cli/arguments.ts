import { parseArgs, type ParseArgsConfig } from "node:util";
import { quoted } from "../infra/contracts/errors";
import { WrongUse } from "./wrongUse";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** What a verb is given. */
export interface Arguments {
  readonly stack: string;
  readonly positionals: readonly string[];
  /** Whether a flag such as `json` was given. */
  flag(name: string): boolean;
  /** The value of an option that takes one. */
  value(name: string): string | undefined;
  /** The values of an option that may be given several times. */
  values(name: string): readonly string[];
}

/** A verb's command line: its options besides `--stack` and `--help`, and what else it takes. */
export interface Syntax {
  readonly options?: Options;
  /** Least and most positional arguments. @default none */
  readonly positionals?: readonly [least: number, most: number];
  /** The stack where `--stack` is not given. @default {@link usualStack} */
  readonly stack?: string;
}

export const usualStack = "local";

const common = (stack = usualStack): Options => ({
  stack: { type: "string", default: stack },
  help: { type: "boolean", short: "h" },
});

/**
 * Reads a verb's command line.
 *
 * @returns undefined when help is asked for
 * @throws WrongUse for what the syntax does not have
 */
export function parseArguments(syntax: Syntax, argv: readonly string[]): Arguments | undefined {
  const { values, positionals } = parse({ ...syntax.options, ...common(syntax.stack) }, argv);
  if (values.help) return undefined;
  const [least, most] = syntax.positionals ?? [0, 0];
  if (positionals.length < least) throw new WrongUse("an argument is missing");
  if (positionals.length > most) {
    throw new WrongUse(`${quoted(positionals[most])} is one argument too many`);
  }
  const stack = values.stack as string;
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(stack)) {
    throw new WrongUse(
      `--stack is ${quoted(stack)}: a name has letters, digits, dashes, underscores and dots`,
    );
  }
  return {
    stack,
    positionals,
    flag: (name) => values[name] === true,
    value: (name) => values[name] as string | undefined,
    values: (name) => (values[name] as string[] | undefined) ?? [],
  };
}

function parse(options: Options, argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code?.startsWith("ERR_PARSE_ARGS_")) throw new WrongUse(message.split(". ")[0]);
    throw error;
  }
}
