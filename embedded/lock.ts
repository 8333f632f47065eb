import * as fs from "node:fs";
import { hostname } from "node:os";
import * as path from "node:path";
import { lock } from "proper-lockfile";
import { UserError } from "../infra/userError";

/** A lock whose holder has not touched it for so long is broken by the next one (milliseconds). */
const STALE = 20_000;

interface Owner {
  readonly pid: number;
  readonly host: string;
  readonly verb: string;
  readonly since: string;
}

/**
 * Takes the stack for this process. A holder that died on this machine is noticed at once, one on
 * another machine after 20 seconds.
 *
 * @param onLost called when another process broke the lock, as after a suspended machine
 * @returns gives the lock back
 * @throws UserError when another process holds it
 */
export async function lockStack(
  stackFolder: string,
  verb: string,
  onLost: (error: Error) => void,
): Promise<() => Promise<void>> {
  fs.mkdirSync(stackFolder, { recursive: true, mode: 0o700 });
  const lockfilePath = path.join(stackFolder, "lock");
  const ownerPath = path.join(stackFolder, "lock.json");
  const take = () =>
    lock(stackFolder, { lockfilePath, stale: STALE, update: STALE / 4, onCompromised: onLost });
  const release = await take().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "ELOCKED") {
      throw error;
    }
    const owner = readOwner(ownerPath);
    if (owner?.host === hostname() && !alive(owner.pid)) {
      fs.rmSync(lockfilePath, { recursive: true, force: true });
      return take();
    }
    const who = owner
      ? `process ${owner.pid} on ${owner.host} (${owner.verb}, since ${owner.since})`
      : "another process";
    throw new UserError(
      `The stack in ${stackFolder} is in use by ${who}.`,
      "Two runs at once would overwrite each other's state.",
      "Wait until it is done, or end it, and try again.",
    );
  });
  const owner: Owner = {
    pid: process.pid,
    host: hostname(),
    verb,
    since: new Date().toISOString(),
  };
  fs.writeFileSync(ownerPath, JSON.stringify(owner), { mode: 0o600 });
  return async () => {
    fs.rmSync(ownerPath, { force: true });
    await release();
  };
}

function readOwner(file: string): Owner | undefined {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")) as Owner;
  } catch {
    return undefined;
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
