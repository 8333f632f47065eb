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
 * a suspended process keeps it.
 */
export function lockFile(file: string, verb: string): FileLock {
  const descriptor = openLockFile(file);
  const { status, stderr, error } = spawnSync("flock", ["-n", "3"], {
    stdio: ["ignore", "ignore", "pipe", descriptor],
    encoding: "utf8",
  });
  if (status !== 0 || !isAt(descriptor, file)) {
    fs.closeSync(descriptor);
    if (status === 0) return lockFile(file, verb); // the holder has released and removed it
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
      fs.rmSync(file, { force: true });
      fs.closeSync(descriptor);
    },
  };
}

/** Opens an existing file without O_CREAT, which Linux refuses in /tmp for files of other users. */
function openLockFile(file: string): number {
  const exists = fs.existsSync(file);
  try {
    return fs.openSync(file, exists ? "r+" : "wx+", 0o600);
  } catch (error) {
    // Another process has removed or made the file in between.
    if ((error as NodeJS.ErrnoException).code === (exists ? "ENOENT" : "EEXIST")) {
      return openLockFile(file);
    }
    throw error;
  }
}

/** Whether the open file is still the one of that name. */
function isAt(descriptor: number, file: string): boolean {
  return fs.statSync(file, { throwIfNoEntry: false })?.ino === fs.fstatSync(descriptor).ino;
}

function readHolder(file: string): Holder | undefined {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")) as Holder;
  } catch {
    return undefined; // the holder has not written it yet
  }
}
