import { follow } from "../terminal/follow";
import { changesLine, reasonLines } from "../terminal/lines";
import { noStack } from "../noStack";
import { openAsItIs } from "../session";
import type { Verb } from "../verb";

export const refresh: Verb = {
  usage: "",
  summary: "read back what can be read, and forget steps that a killed deployment left open",
  syntax: {},
  async run(args) {
    const session = await openAsItIs(args);
    if (!session) throw noStack(args.stack);
    const { changes, errors, ok } = await follow(session, (watch) => session.runner.refresh(watch));
    console.log(changesLine(changes));
    for (const line of errors.flatMap((error) => reasonLines(error))) console.log(line);
    return ok ? 0 : 1;
  },
};
