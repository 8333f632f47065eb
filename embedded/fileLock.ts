import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { EmbeddedError } from "./errors";

/** Ends a lock; a second call does nothing. */
export type Release = () => void;

/**
 * Locks a file until the lock is released or this process ends, however it ends. A suspended process
 * keeps it; nothing is judged by time.
 *
 * `flock` of util-linux sets the lock on a descriptor of this process. The lock belongs to the open
 * file, so it outlives `flock` itself, and no child inherits it (Node opens files with O_CLOEXEC).
 *
 * @param file made if missing; it may be removed by whoever holds the lock
 * @param mode of a file that is made; 0o666 for a lock that several users share
 * @returns undefined while another process, or another caller in this one, has it
 * @throws EmbeddedError where files cannot be locked
 */
export function tryLock(file: string, mode = 0o600): Release | undefined {
  for (;;) {
    const descriptor = openOrMake(file, mode);
    const { status, stderr, error } = spawnSync("flock", ["-n", "3"], {
      stdio: ["ignore", "ignore", "pipe", descriptor],
      encoding: "utf8",
    });
    let held = status === 0 && isAt(descriptor, file);
    const release = () => {
      if (held) fs.closeSync(descriptor);
      held = false;
    };
    if (held) return release;
    fs.closeSync(descriptor);
    if (status === 1 && !stderr) return undefined;
    if (status === 0) continue; // the holder has released and removed it
    throw new EmbeddedError(
      `${file} cannot be locked: ${error?.message ?? stderr}`,
      "Two processes at once would overwrite each other's files.",
      "Install util-linux, which has the program flock, and use a file system that has locks.",
    );
  }
}

/** Opened without O_CREAT where it exists: Linux refuses that in /tmp for files of other users. */
function openOrMake(file: string, mode: number): number {
  for (;;) {
    try {
      return fs.openSync(file, "r+");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    make(file, mode);
  }
}

/** Makes the file unless it exists. It has its mode before others can see it, whatever the umask. */
function make(file: string, mode: number): void {
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString("hex")}`;
  const descriptor = fs.openSync(temporary, "wx", mode);
  try {
    fs.fchmodSync(descriptor, mode);
    fs.linkSync(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    fs.closeSync(descriptor);
    fs.rmSync(temporary, { force: true });
  }
}

/** Whether the open file is still the one of that name. */
function isAt(descriptor: number, file: string): boolean {
  return fs.statSync(file, { throwIfNoEntry: false })?.ino === fs.fstatSync(descriptor).ino;
}
