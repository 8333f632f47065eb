import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../contracts/errors";

const pollMs = 200;

/** Ends a lock; a second call does nothing. */
export type Release = () => void;

/**
 * Takes a lock that the kernel holds for this process: a process that is suspended keeps it, and one
 * that ends, however it ends, frees it. Nothing is judged by time.
 *
 * util-linux's `flock` locks the descriptor that it is given. The lock belongs to the open file,
 * which this process keeps open after `flock` has ended.
 *
 * @param file made if missing; it may be removed while nobody waits for it
 * @param mode of a file that is made; 0o666 for a lock that several users share
 * @returns undefined while another process, or another caller in this one, has it
 */
export async function tryLock(file: string, mode = 0o600): Promise<Release | undefined> {
  for (;;) {
    const descriptor = open(file, mode);
    const code = await flock(descriptor).catch((error: unknown) => {
      fs.closeSync(descriptor);
      throw error;
    });
    // A file that was removed meanwhile locks out nobody.
    const same = fs.statSync(file, { throwIfNoEntry: false })?.ino === fs.fstatSync(descriptor).ino;
    if (code === 0 && same) return once(() => fs.closeSync(descriptor));
    fs.closeSync(descriptor);
    if (code !== 0) return undefined;
  }
}

/**
 * Waits for a lock; see {@link tryLock}.
 *
 * @param onWait called once if another has it
 */
export async function lock(file: string, onWait?: () => void): Promise<Release> {
  for (let tries = 0; ; tries++) {
    const release = await tryLock(file);
    if (release) return release;
    if (tries === 0) onWait?.();
    await sleep(pollMs);
  }
}

/** Opened without O_CREAT where it exists: the kernel refuses that for others' files in /tmp. */
function open(file: string, mode: number): number {
  for (;;) {
    try {
      return fs.openSync(file, "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    try {
      const descriptor = fs.openSync(file, "wx", mode);
      fs.fchmodSync(descriptor, mode); // whatever the umask is
      fs.closeSync(descriptor);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/** @returns 0 when the lock was taken, 1 when another has it */
function flock(descriptor: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const stdio = ["ignore", "ignore", "ignore", descriptor] as const;
    const child = spawn("flock", ["--nonblock", "3"], { stdio: [...stdio], env: searchPath() });
    child.once("error", (error) =>
      reject(
        new UserError(
          `flock cannot be started (${error.message})`,
          "it locks the files that several processes share",
          "install util-linux, which has it",
        ),
      ),
    );
    child.once("exit", (code, signal) =>
      code === 0 || code === 1
        ? resolve(code)
        : reject(new Error(`flock ended with ${signal ?? code}`)),
    );
  });
}

function searchPath(): Record<string, string> {
  return { PATH: process.env.PATH ?? "/usr/bin:/bin" };
}

function once(work: () => void): Release {
  let done = false;
  return () => {
    if (!done) work();
    done = true;
  };
}
