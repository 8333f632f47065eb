import * as fs from "node:fs";
import { checkout } from "../../infra/host/folders";
import { whoListens, ownProcesses } from "../../infra/host/processTable";

/** As /proc has it, cut after 15 characters: `pulumi-resource-command`, `pulumi-language-nodejs`. */
const plugin = /^pulumi-(resource|language)/;

/**
 * Ends the plugins of Pulumi CLIs that were killed at work on a stack of this checkout, which is the
 * folder that the CLI starts them in. They are given the address of the CLI's engine, and are left
 * alone while somebody listens there. The language host asks every five minutes whether its engine
 * lives, and ends; a provider asks too, but with what is found it does nothing (`MainContext` in
 * pkg/resource/provider/main.go of pulumi/pulumi cancels a context that nobody waits for), and idles
 * on for ever.
 *
 * @param folder the checkout
 * @returns how many were ended
 */
export function endLeftPlugins(folder = checkout): number {
  const here = fs.realpathSync(folder);
  const left = ownProcesses().filter(
    ({ pid, name }) => plugin.test(name) && startedIn(pid) === here && !hasEngine(pid),
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

function startedIn(pid: number): string | undefined {
  try {
    return fs.readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined; // it has ended by itself
  }
}
