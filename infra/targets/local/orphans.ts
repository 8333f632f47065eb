import { setTimeout as sleep } from "node:timers/promises";
import { ownProcesses, runs, startedWith, startOf, withDescendants } from "../../host/processTable";

/**
 * The variable that marks every process of a stack's services: `<stack id>/<service>`. Children
 * inherit it, so that what a killed supervisor left behind is found without any record.
 */
export const marker = "ENGINE_COMPARISON_SERVICE";

/**
 * Processes of the stack with this id, by service name (`supervisor` among them).
 *
 * @param id the stack's random id; processes of other stacks are never touched
 */
export function markedProcesses(id: string): { pid: number; service: string }[] {
  return ownProcesses().flatMap(({ pid }) => {
    const value = startedWith(pid, marker);
    return value?.startsWith(`${id}/`) ? [{ pid, service: value.slice(id.length + 1) }] : [];
  });
}

/** How long a process may take to end by itself before it is killed. */
const graceMs = 1_000;

/** How long it is tried at all; a process in an uninterruptible wait cannot be ended. */
const patienceMs = 10_000;

/**
 * Ends the marked processes of a stack with their descendants, marked or not.
 *
 * @param which which services; all by default
 * @returns how many processes were ended
 */
export async function endLeftovers(
  id: string,
  which: (service: string) => boolean = () => true,
): Promise<number> {
  const begin = Date.now();
  const found = new Map<number, string>();
  const told = new Set<number>();
  for (;;) {
    // Looked for again and again: a process may start another while it is being ended.
    const roots = markedProcesses(id).filter(({ service }) => which(service));
    const all =
      roots.length === 0
        ? []
        : withDescendants(
            roots.map(({ pid }) => pid),
            ownProcesses(),
          );
    for (const pid of all) if (pid !== process.pid) found.set(pid, startOf(pid));
    const alive = [...found].filter(([pid, start]) => runs(pid, start)).map(([pid]) => pid);
    const elapsed = Date.now() - begin;
    if (alive.length === 0 || elapsed > patienceMs) return found.size;
    for (const pid of alive) {
      if (elapsed > graceMs) signal(pid, "SIGKILL");
      else if (!told.has(pid)) signal(pid, "SIGTERM");
      told.add(pid);
    }
    await sleep(50);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // it has ended by itself
  }
}
