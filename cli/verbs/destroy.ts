import * as fs from "node:fs";
import * as path from "node:path";
import { stackFolder } from "../../infra/folders";
import { forgetOwner } from "../../infra/ownership";
import { follow } from "../follow";
import { changesLine, reasonLines } from "../lines";
import { openAsItIs } from "../session";
import type { Verb } from "../verb";

export const destroy: Verb = {
  usage: "",
  summary: "end the stack's services and delete its data; history, settings and caches stay",
  syntax: {},
  async run(args) {
    const session = await openAsItIs(args);
    if (!session) {
      console.log(`nothing to destroy: stack ${args.stack} is not deployed`);
      return 0;
    }
    const { stack, runner } = session;
    const outcome = await follow(session, (watch) => runner.destroy(watch));
    console.log(changesLine(outcome.changes));
    if (!outcome.ok) {
      for (const line of outcome.errors.flatMap((error) => reasonLines(error))) console.log(line);
      console.log("failed: something of the stack still stands; npm run destroy goes on with it");
      return 1;
    }
    forgetOwner(stack);
    // What the runs came to is in the history; as the last known outcome it would mislead a new stack.
    fs.rmSync(path.join(stackFolder(stack), "records"), { recursive: true, force: true });
    console.log(`destroyed; the history of results is kept in ${stackFolder(stack)}`);
    return 0;
  },
};
