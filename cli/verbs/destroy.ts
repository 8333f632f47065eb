import * as fs from "node:fs";
import * as path from "node:path";
import { stackFolder } from "../../infra/host/folders";
import { forgetStack } from "../../infra/stack/owner";
import { follow } from "../terminal/follow";
import { changesLine, reasonLines } from "../terminal/lines";
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
    forgetStack(stack);
    for (const name of ["state.json", "state.json.bak"]) {
      fs.rmSync(path.join(stackFolder(stack), name), { force: true });
    }
    console.log(`destroyed; results history and settings are kept in ${stackFolder(stack)}`);
    return 0;
  },
};
