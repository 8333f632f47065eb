import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { UserError } from "../contracts/errors";

/** The checkout this program was started from; every path in a resource's inputs is relative to it. */
export const checkout = path.resolve(__dirname, "../..");

function xdg(variable: string, fallback: string): string {
  return path.join(process.env[variable] || path.join(userHome(), fallback), "engine-comparison");
}

/** @throws UserError without HOME for a user that passwd does not know, such as in a container */
function userHome(): string {
  try {
    return os.homedir();
  } catch {
    throw new UserError(
      `the user ${process.getuid?.()} has no home folder: HOME is not set, and passwd does not know the user`,
      "the stacks and the toolchain are kept in folders below it",
      "set HOME, or set both ENGINE_COMPARISON_HOME and ENGINE_COMPARISON_CACHE",
    );
  }
}

/** Where all stack folders live: `ENGINE_COMPARISON_HOME`, by default in the XDG state folder. */
export function homeFolder(): string {
  return path.resolve(process.env.ENGINE_COMPARISON_HOME || xdg("XDG_STATE_HOME", ".local/state"));
}

/** The shared caches: `ENGINE_COMPARISON_CACHE`, by default in the XDG cache folder. */
export function cacheFolder(): string {
  return path.resolve(process.env.ENGINE_COMPARISON_CACHE || xdg("XDG_CACHE_HOME", ".cache"));
}

/** Everything that the stack `stack` owns on disk outside the checkout. */
export function stackFolder(stack: string): string {
  return path.join(homeFolder(), stack);
}

/** Where the files of a dataset are, with their `manifest.json`; shared by stacks. */
export function datasetFolder(dataset: string, version: string): string {
  return path.join(cacheFolder(), "datasets", dataset, version);
}

/** What a file or a process is asked for; undefined where it is gone, or does not say. */
export function attempt<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

/** The text of a file; undefined where it cannot be read. */
export function readOr(file: string): string | undefined {
  return attempt(() => fs.readFileSync(file, "utf8"));
}

/** The names of what is in a folder; none where it cannot be read. */
export function namesIn(folder: string): string[] {
  return attempt(() => fs.readdirSync(folder)) ?? [];
}

/** Removes a file, and with the last one its folder; no matter if it is not there. */
export function removeLast(file: string): void {
  fs.rmSync(file, { force: true });
  attempt(() => fs.rmdirSync(path.dirname(file))); // unless there are others
}
