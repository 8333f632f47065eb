import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
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
    const descriptor = openShared(file, mode);
    let open = true;
    const release = () => {
      if (open) fs.closeSync(descriptor);
      open = false;
    };
    const taken = await flock(descriptor).catch((error: unknown) => {
      release();
      throw error;
    });
    // A file that was removed meanwhile locks out nobody.
    const same = fs.statSync(file, { throwIfNoEntry: false })?.ino === fs.fstatSync(descriptor).ino;
    if (taken && same) return release;
    release();
    if (!taken) return undefined;
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
function openShared(file: string, mode: number): number {
  for (;;) {
    try {
      return fs.openSync(file, "r");
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

/** Whether the lock was taken; if not, another has it. */
async function flock(descriptor: number): Promise<boolean> {
  const child = spawn("flock", ["--nonblock", "3"], {
    stdio: ["ignore", "ignore", "ignore", descriptor],
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin" },
  });
  const ended = once(child, "exit").catch((error: Error) => {
    throw new UserError(
      `flock cannot be started (${error.message})`,
      "it locks the files that several processes share",
      "install util-linux, which has it",
    );
  });
  const [code, signal] = (await ended) as [number | null, NodeJS.Signals | null];
  if (code !== 0 && code !== 1) throw new Error(`flock ended with ${signal ?? code}`);
  return code === 0;
}
