import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { toolEnvironment } from "../../infra/host/environment";
import { readRecord } from "../../results/records";
import { reportFile } from "../../results/reportPlace";
import { noStack } from "../noStack";
import { openAsItIs } from "../session";
import type { Verb } from "../verb";

export const report: Verb = {
  usage: "",
  summary: "print where the report is, and open it where there is a terminal",
  syntax: {},
  async run(args) {
    const file = reportFile(args.stack);
    if (!fs.existsSync(file)) await render(args.stack, await runsOf(args));
    console.log(file);
    if (process.stdout.isTTY && !(await open(file))) {
      console.error("no program was found that opens it: open the file in a browser");
    }
    return 0;
  },
};

async function runsOf(args: Parameters<Verb["run"]>[0]): Promise<readonly string[]> {
  const session = await openAsItIs(args);
  const runs = session?.runs ?? [];
  if (!runs.some((run) => readRecord(args.stack, run))) throw noStack(args.stack);
  return runs;
}

/** A deployment that was killed leaves records and no page. */
async function render(stack: string, runs: readonly string[]): Promise<void> {
  const { renderReport } = await import("../../report/renderReport");
  await renderReport(stack, runs);
}

/** What opens a file on Linux, on macOS, and on Linux under Windows. */
const openers = ["xdg-open", "open", "wslview"];

/** @returns whether one of the openers could be started */
async function open(file: string): Promise<boolean> {
  for (const opener of openers) {
    const started = await new Promise<boolean>((resolve) => {
      const child = spawn(opener, [file], {
        stdio: "ignore",
        detached: true,
        env: toolEnvironment("browser"),
      });
      child.once("spawn", () => (child.unref(), resolve(true)));
      child.once("error", () => resolve(false));
    });
    if (started) return true;
  }
  return false;
}
