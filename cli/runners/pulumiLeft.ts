import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { UserError } from "../../infra/contracts/errors";
import { attempt, checkout, namesIn, readOr } from "../../infra/host/folders";
import { isAlive, ownProcesses, whoListens } from "../../infra/host/processTable";
import { readJson, stackFiles } from "../../infra/stack/files";

/** A lock of the CLI's file backend. */
interface CliLock {
  readonly file: string;
  readonly pid: number;
  readonly username: string;
  readonly hostname: string;
  readonly timestamp: string;
}

/**
 * The locks on a stack whose state is in its stack folder, told apart: one whose CLI lives, and
 * those that a CLI left which was killed on this machine.
 */
export function stackLocks(project: string, stack: string): { living?: CliLock; dead: CliLock[] } {
  const folder = path.join(stackFiles(stack).backendFiles, "locks", "organization", project, stack);
  const found = namesIn(folder).flatMap((name): CliLock[] => {
    const file = path.join(folder, name);
    const lock = readJson<Omit<CliLock, "file">>(file);
    return lock ? [{ ...lock, file }] : []; // released meanwhile
  });
  const isDead = (lock: CliLock) => lock.hostname === os.hostname() && !isAlive(lock.pid);
  return { living: found.find((lock) => !isDead(lock)), dead: found.filter(isDead) };
}

/** The state of a stack in the CLI's file backend in the stack folder. */
export function cliState(project: string, stack: string): string {
  return path.join(stackFiles(stack).backendFiles, "stacks", project, `${stack}.json`);
}

/** Whether the state in the stack folder has operations that nobody knows the end of. */
export function hasPending(project: string, stack: string): boolean {
  const state = readJson<{ checkpoint?: { latest?: { pending_operations?: unknown[] } } }>(
    cliState(project, stack),
  );
  return Boolean(state?.checkpoint?.latest?.pending_operations?.length);
}

/** Whether this machine shows a deployment of the stack, by either runner, that goes on. */
export function isDeploying(project: string, stack: string): boolean {
  const lock = readJson<{ pid: number }>(stackFiles(stack).stateLock);
  return stackLocks(project, stack).living !== undefined || (!!lock && isAlive(lock.pid));
}

export function inUse(stack: string, lock?: CliLock): UserError {
  const who = lock
    ? `process ${lock.pid} of ${lock.username} on ${lock.hostname}, since ${lock.timestamp}`
    : "another deployment";
  return new UserError(
    `stack ${stack} is in use by ${who}`,
    "two deployments at once would overwrite each other's state",
    "wait until it has ended; if that process is gone, run `pulumi cancel` to remove its lock",
  );
}

/** As /proc has it, cut after 15 characters: `pulumi-resource-command`, `pulumi-language-nodejs`. */
const plugin = /^pulumi-(resource|language)/;

/**
 * Ends the plugins of Pulumi CLIs that were killed at work on a stack of this checkout, which is the
 * folder that the CLI starts them in. They are given the address of the CLI's engine, and are left
 * alone while somebody listens there. The language host asks every five minutes whether its engine
 * lives, and ends; a provider asks too, but with what is found it does nothing (`MainContext` in
 * pkg/resource/provider/main.go of pulumi/pulumi cancels a context that nobody waits for), and idles
 * on for ever.
 *
 * @returns how many were ended
 */
export function endLeftPlugins(folder = checkout): number {
  const here = fs.realpathSync(folder);
  const startedIn = (pid: number) => attempt(() => fs.readlinkSync(`/proc/${pid}/cwd`));
  const left = ownProcesses().filter(
    ({ pid, name }) => plugin.test(name) && startedIn(pid) === here && !hasEngine(pid),
  );
  for (const { pid } of left) {
    attempt(() => process.kill(pid, "SIGKILL"));
  }
  return left.length;
}

/** Whether somebody listens at the address of its engine that the plugin was given. */
function hasEngine(pid: number): boolean {
  const command = readOr(`/proc/${pid}/cmdline`);
  const port = /127\.0\.0\.1:(\d+)\0?$/.exec(command ?? "")?.[1];
  return port === undefined || whoListens(Number(port)) !== undefined;
}
