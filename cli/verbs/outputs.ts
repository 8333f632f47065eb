import { outputLines, withRuns } from "../terminal/stackOutputs";
import { openAsItIs } from "../session";
import type { Verb } from "../verb";
import { noStack } from "../noStack";
import { WrongUse } from "../wrongUse";

export const outputs: Verb = {
  usage: "[--json] [name]",
  summary: "print the stack's outputs: URLs, buckets, and each run with what it came to",
  syntax: { options: { json: { type: "boolean" } }, positionals: [0, 1] },
  async run(args) {
    const session = await openAsItIs(args);
    if (!session) throw noStack(args.stack);
    const { stack, runs, runner } = session;
    const all = withRuns(stack, runs, await runner.outputs());
    const [name] = args.positionals;
    if (name === undefined && !args.flag("json")) {
      for (const line of outputLines(stack, runs, all)) console.log(line);
      return 0;
    }
    if (name !== undefined && !(name in all)) {
      throw new WrongUse(`${JSON.stringify(name)} is no output: ${Object.keys(all).join(", ")}`);
    }
    const value = name === undefined ? all : all[name];
    const bare = typeof value === "string" && !args.flag("json");
    console.log(bare ? value : JSON.stringify(value, undefined, 2));
    return 0;
  },
};
