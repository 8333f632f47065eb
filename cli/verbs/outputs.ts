import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { toolEnvironment } from "../../infra/host/environment";
import { stackFiles } from "../../infra/stack/files";
import { summaryOf } from "../../results/records";
import { noStack, WrongUse } from "../errors";
import { openAsItIs } from "../session";
import { outputLines, withRuns } from "../terminal/stackOutputs";
import { verb } from "../verb";
import { rendering } from "./deploy";

export const outputs = verb({
  summary: "print the stack's outputs: URLs, buckets, and the outcome of each run",
  positionals: [{ name: "name", optional: true, help: "prints this output alone" }],
  options: { json: { type: "boolean", help: "prints JSON" } },
  async run({ stack, positionals: [name], options: { json } }) {
    const session = await openAsItIs(stack);
    if (!session) throw noStack(stack);
    const { runs, runner } = session;
    const all = withRuns(stack, runs, await runner.outputs());
    if (name === undefined && !json) {
      for (const line of outputLines(stack, runs, all)) console.log(line);
      return 0;
    }
    if (name !== undefined && !(name in all)) {
      const names = Object.keys(all).join(", ");
      throw new WrongUse(`no output ${JSON.stringify(name)}; available: ${names}`);
    }
    const value = name === undefined ? all : all[name];
    const bare = typeof value === "string" && !json;
    console.log(bare ? value : JSON.stringify(value, undefined, 2));
    return 0;
  },
});

export const report = verb({
  summary: "print the report's path, and open it if there is a terminal",
  async run({ stack }) {
    const file = stackFiles(stack).report;
    if (!fs.existsSync(file)) {
      // A deployment that was killed leaves records and no page.
      const runs = (await openAsItIs(stack))?.runs ?? [];
      if (!runs.some((run) => summaryOf(stack, run))) throw noStack(stack);
      const { renderReport } = await rendering();
      await renderReport(stack, runs);
    }
    console.log(file);
    if (process.stdout.isTTY && !(await open(file))) {
      console.error("found no program that opens it: open the file in a browser");
    }
    return 0;
  },
});

/** What opens a file on Linux, on macOS, and on Linux under Windows. */
const openers = ["xdg-open", "open", "wslview"];

/** @returns whether one of the openers could be started */
async function open(file: string): Promise<boolean> {
  for (const opener of openers) {
    const started = await new Promise<boolean>((resolve) => {
      const env = toolEnvironment("browser");
      const child = spawn(opener, [file], { stdio: "ignore", detached: true, env });
      child.once("spawn", () => (child.unref(), resolve(true)));
      child.once("error", () => resolve(false));
    });
    if (started) return true;
  }
  return false;
}
