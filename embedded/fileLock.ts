import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { hostname } from "node:os";
import { EmbeddedError } from "./errors";

/** Who holds a lock; the holder writes it into the lock file. */
export type Holder = Readonly<{ pid: number; host: string; verb: string; since: string }>;

/** Either the lock, or who holds it as far as that is known. */
export type FileLock = { readonly release: () => void } | { readonly holder: Holder | undefined };

/**
 * Locks a file until `release` is called or this process ends, however it ends.
 *
 * `flock` of util-linux sets the lock on a descriptor of this process. The lock belongs to the open
 * file, so it outlives `flock` itself, no child inherits it (Node opens files with O_CLOEXEC), and
 * a suspended process keeps it. The file stays, because removing it would let two processes lock
 * two files of the same name.
 */
export function lockFile(file: string, verb: string): FileLock {
  const descriptor = openLockFile(file);
  const { status, stderr, error } = spawnSync("flock", ["-n", "3"], {
    stdio: ["ignore", "ignore", "pipe", descriptor],
    encoding: "utf8",
  });
  if (status !== 0) {
    fs.closeSync(descriptor);
    if (status === 1 && !stderr) return { holder: readHolder(file) };
    throw new EmbeddedError(
      `${file} cannot be locked: ${error?.message ?? stderr}`,
      "Two runs at once would overwrite each other's state.",
      "Install util-linux, which has the program flock, and use a file system that has locks.",
    );
  }
  const holder = { pid: process.pid, host: hostname(), verb, since: new Date().toISOString() };
  fs.ftruncateSync(descriptor);
  fs.writeSync(descriptor, JSON.stringify(holder), 0);
  return {
    release: () => {
      fs.ftruncateSync(descriptor);
      fs.closeSync(descriptor);
    },
  };
}

/** Opens without O_CREAT, which Linux refuses for other users' files in folders such as /tmp. */
function openLockFile(file: string): number {
  try {
    fs.closeSync(fs.openSync(file, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return fs.openSync(file, "r+");
}

function readHolder(file: string): Holder | undefined {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")) as Holder;
  } catch {
    return undefined; // the holder has not written it yet
  }
}
