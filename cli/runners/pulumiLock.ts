import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { stackFolder } from "../../infra/host/folders";
import { UserError } from "../../infra/contracts/errors";

/** A lock of the CLI's file backend. */
interface CliLock {
  readonly file: string;
  readonly pid: number;
  readonly username: string;
  readonly hostname: string;
  readonly timestamp: string;
}

function backend(stack: string): string {
  return path.join(stackFolder(stack), "pulumi-backend", ".pulumi");
}

/**
 * The locks on a stack whose state is in its stack folder, told apart: one whose CLI lives, and
 * those that a CLI left which was killed on this machine.
 */
export function stackLocks(project: string, stack: string): { living?: CliLock; dead: CliLock[] } {
  const folder = path.join(backend(stack), "locks", "organization", project, stack);
  const found = list(folder).flatMap((name) => read(path.join(folder, name)));
  const isDead = (lock: CliLock) => lock.hostname === os.hostname() && !isAlive(lock.pid);
  return { living: found.find((lock) => !isDead(lock)), dead: found.filter(isDead) };
}

/** Whether the state in the stack folder has operations that nobody knows the end of. */
export function hasPending(project: string, stack: string): boolean {
  const file = path.join(backend(stack), "stacks", project, `${stack}.json`);
  try {
    const { checkpoint } = JSON.parse(fs.readFileSync(file, "utf8")) as {
      checkpoint?: { latest?: { pending_operations?: unknown[] } };
    };
    return Boolean(checkpoint?.latest?.pending_operations?.length);
  } catch {
    return false;
  }
}

/** A stack that another deployment works on. */
export function inUse(stack: string, lock?: CliLock): UserError {
  const who = lock
    ? `process ${lock.pid} of ${lock.username} on ${lock.hostname}, since ${lock.timestamp}`
    : "another deployment";
  return new UserError(
    `stack ${stack} is in use by ${who}`,
    "two deployments at once would overwrite each other's state",
    "wait until it has ended; if it is gone, `pulumi cancel` removes its lock",
  );
}

/** A lock; none where it has just been taken back. */
function read(file: string): CliLock[] {
  try {
    const told = JSON.parse(fs.readFileSync(file, "utf8")) as Omit<CliLock, "file">;
    return [{ ...told, file }];
  } catch {
    return [];
  }
}

function list(folder: string): string[] {
  try {
    return fs.readdirSync(folder).filter((name) => name.endsWith(".json"));
  } catch {
    return [];
  }
}

/** Whether a process of this machine lives. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
