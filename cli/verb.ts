import type { Arguments, Syntax } from "./arguments";

/** A word of the command line: `npm run <verb>`, or `npm start` for `start`. */
export interface Verb {
  /** What may follow the verb, e.g. `[--json] [name]`. */
  readonly usage: string;
  /** What it does, in a line. */
  readonly summary: string;
  /** More for `--help`, a line an option. */
  readonly help?: readonly string[];
  readonly syntax: Syntax;
  /** @returns the exit code: 0 done, 1 failed with the reason in the last lines */
  run(args: Arguments): Promise<number>;
}
