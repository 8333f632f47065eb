import * as fs from "node:fs";
import * as path from "node:path";
import { cacheFolder, homeFolder } from "../../infra/host/folders";

/** Where things are written to, and what sets it. */
export const writtenFolders = () =>
  [
    { folder: cacheFolder(), variable: "ENGINE_COMPARISON_CACHE" },
    { folder: homeFolder(), variable: "ENGINE_COMPARISON_HOME" },
  ] as const;

/** The folder or, where it is not made yet, the one that it will be in. */
export function existing(folder: string): string {
  return fs.existsSync(folder) ? folder : existing(path.dirname(folder));
}

/** A file of the system's; undefined where there is none. */
export function readOr(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
