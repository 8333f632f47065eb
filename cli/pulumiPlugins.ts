import * as fs from "node:fs";
import { stackBackendUrl } from "../infra/ownership";
import { whoListens } from "../infra/local/machine/listening";
import { ownProcesses, startedWith } from "../infra/local/processes/processTable";

/** As /proc has it, cut after 15 characters: `pulumi-resource-command`, `pulumi-language-nodejs`. */
const plugin = /^pulumi-(resource|language)/;

/**
 * Ends the plugins of a Pulumi CLI that was killed at work on a stack in its stack folder. They are
 * given the address of the CLI's engine, and are left alone while somebody listens there. The language
 * host asks every five minutes whether its engine lives, and ends; a provider asks too, but with what is
 * found it does nothing (`MainContext` in pkg/resource/provider/main.go of pulumi/pulumi cancels a
 * context that nobody waits for), and idles on for ever.
 *
 * @returns how many were ended
 */
export function endLeftPlugins(stack: string): number {
  const backend = stackBackendUrl(stack);
  const left = ownProcesses().filter(
    ({ pid, name }) =>
      plugin.test(name) && startedWith(pid, "PULUMI_BACKEND_URL") === backend && !hasEngine(pid),
  );
  for (const { pid } of left) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // it has ended by itself
    }
  }
  return left.length;
}

/** Whether somebody listens where the plugin was told that its engine does. */
function hasEngine(pid: number): boolean {
  const port = /127\.0\.0\.1:(\d+)\0?$/.exec(commandOf(pid))?.[1];
  return port === undefined || whoListens(Number(port)) !== undefined;
}

function commandOf(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // it has ended by itself
  }
}
