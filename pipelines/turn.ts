import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { tryLock, type Release } from "../embedded/fileLock";
import { UserError } from "../infra/contracts/errors";
import { attempt, readOr } from "../infra/host/folders";
import { isStopped, runs, startOf } from "../infra/host/processTable";
import { stackFiles, writeWhole } from "../infra/stack/files";

const pollMs = 200;
/** Runs start together, so each waits this long for those of lower rank to queue up. */
const settleMs = 1_000;

/** One folder a machine: runs of different stacks and users disturb each other, too. */
const machineFolder = "/tmp/engine-comparison-turns";
const lockName = "turn.lock";

/**
 * Waits until no other run executes on this machine and none of lower rank is waiting.
 *
 * Who is next is said by tickets, files named by rank, time of arrival and process. The turn itself
 * is a lock that the kernel holds, so that two never run at once. Whoever has it puts a dash before
 * its ticket's name, which sorts before all others: nobody tries the lock meanwhile.
 *
 * @param rank the run's declared place; runs of equal rank go in the order of their arrival
 * @param givesUp whether to give up; asked while it waits
 * @throws UserError when it has given up
 */
export async function takeTurn(
  rank: number,
  givesUp: () => boolean = () => false,
): Promise<Release> {
  const folder = turnFolder();
  const arrived = Date.now();
  const place = `${String(rank).padStart(4, "0")}-${arrived}`;
  const ticket = `${place}-${process.pid}-${startOf(process.pid)}.ticket`;
  const at = (name: string) => path.join(folder, name);
  const remove = (name: string) => fs.rmSync(at(name), { force: true });
  try {
    for (;;) {
      if (givesUp()) {
        throw new UserError(
          "the run was stopped before its turn came",
          "the deployment that it belongs to was interrupted",
          "run the same command again: it goes on from here",
        );
      }
      fs.writeFileSync(at(ticket), ""); // each time: who cleans /tmp may have removed it
      if (Date.now() - arrived >= settleMs && firstOf(folder) === ticket) {
        const release = tryLock(at(lockName), 0o666);
        if (release) {
          fs.writeFileSync(at(`-${ticket}`), "");
          return () => (remove(`-${ticket}`), release());
        }
      }
      await sleep(pollMs);
    }
  } finally {
    remove(ticket);
  }
}

function turnFolder(): string {
  const folder = process.env.ENGINE_COMPARISON_TURNS || machineFolder;
  try {
    if (!fs.existsSync(folder)) makeFolder(folder);
    fs.accessSync(folder, fs.constants.W_OK | fs.constants.X_OK);
    return folder;
  } catch (error) {
    throw new UserError(
      `${folder} cannot be written to (${(error as Error).message})`,
      "the runs of all users take turns there, because runs at the same time disturb each other",
      `have its owner run: chmod 1777 ${folder}`,
    );
  }
}

/** Makes the folder for all users, at once, so that none sees it before all may use it. */
function makeFolder(folder: string): void {
  fs.mkdirSync(path.dirname(folder), { recursive: true });
  const made = fs.mkdtempSync(`${folder}.`);
  fs.writeFileSync(path.join(made, lockName), "");
  fs.chmodSync(path.join(made, lockName), 0o666); // whatever the umask is
  fs.chmodSync(made, 0o1777);
  try {
    fs.renameSync(made, folder);
  } catch {
    fs.rmSync(made, { recursive: true }); // another was first
  }
}

/** The first ticket, of who runs or of lowest rank; tickets of processes that died are removed. */
function firstOf(folder: string): string | undefined {
  const isWaiting = (name: string) => {
    const [, pid, start] = /-(\d+)-(\d*)\.ticket$/.exec(name) ?? [];
    if (pid === undefined) return false;
    if (runs(Number(pid), start)) return !isStopped(Number(pid));
    // Unless it is another user's: /tmp lets only the owner remove it.
    attempt(() => fs.rmSync(path.join(folder, name), { force: true }));
    return false;
  };
  return fs.readdirSync(folder).filter(isWaiting).sort()[0];
}

/** Lets runs of the stack that wait for their turn end instead; until {@link goOn}. */
export function stopWaiting(stack: string): void {
  writeWhole(stackFiles(stack).stopping, String(process.pid));
}

export function goOn(stack: string): void {
  fs.rmSync(stackFiles(stack).stopping, { force: true });
}

/** Whether a run that waits for its turn should end. */
export function isStopping(stack: string): boolean {
  const pid = Number(readOr(stackFiles(stack).stopping));
  return pid > 0 && attempt(() => process.kill(pid, 0)) === true;
}
