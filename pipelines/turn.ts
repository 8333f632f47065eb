import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as lockfile from "proper-lockfile";
import { UserError } from "../infra/contracts/errors";

const pollMs = 200;
/** A ticket or lock that nobody refreshed for this long belongs to a process that died. */
const staleMs = 15_000;
/** Runs start together, so each waits this long for those of lower rank to queue up. */
const settleMs = 1_000;

/** One folder a machine, because runs of different stacks and users disturb each other too. */
function turnFolder(): string {
  return process.env.ENGINE_COMPARISON_TURNS || path.join(os.tmpdir(), "engine-comparison-turns");
}

/**
 * Waits until no other run executes on this machine and none of lower rank is waiting.
 *
 * @param rank the run's declared place; runs of equal rank go in the order of their arrival
 * @param givesUp whether to give up; asked while it waits
 * @returns what ends the turn
 * @throws UserError when it has given up
 */
export async function takeTurn(
  rank: number,
  givesUp: () => boolean = () => false,
): Promise<() => Promise<void>> {
  const folder = turnFolder();
  fs.mkdirSync(folder, { recursive: true, mode: 0o777 });
  const arrived = Date.now();
  const name = [String(rank).padStart(4, "0"), arrived, process.pid].join("-") + ".ticket";
  const ticket = path.join(folder, name);
  fs.writeFileSync(ticket, "");
  try {
    for (;;) {
      if (givesUp()) throw stopped();
      const now = new Date();
      fs.utimesSync(ticket, now, now);
      const settled = now.getTime() - arrived >= settleMs;
      if (settled && waiting(folder)[0] === name) {
        const release = await tryLock(path.join(folder, "turn"));
        if (release) return release;
      }
      await sleep(pollMs);
    }
  } finally {
    fs.rmSync(ticket, { force: true });
  }
}

function stopped(): UserError {
  return new UserError(
    "the run was stopped before its turn came",
    "the deployment that it belongs to was interrupted",
    "run the same command again: it goes on from here",
  );
}

/** The tickets of runs that wait, lowest rank first; those of dead processes are removed. */
function waiting(folder: string): string[] {
  const fresh = (name: string) => {
    const file = path.join(folder, name);
    const { mtimeMs } = fs.statSync(file, { throwIfNoEntry: false }) ?? { mtimeMs: 0 };
    if (Date.now() - mtimeMs < staleMs) return true;
    fs.rmSync(file, { force: true });
    return false;
  };
  return fs
    .readdirSync(folder)
    .filter((name) => name.endsWith(".ticket") && fresh(name))
    .sort();
}

async function tryLock(file: string): Promise<(() => Promise<void>) | undefined> {
  try {
    return await lockfile.lock(file, { realpath: false, stale: staleMs, update: staleMs / 3 });
  } catch (error) {
    if ((error as { code?: string }).code === "ELOCKED") return undefined;
    throw error;
  }
}
