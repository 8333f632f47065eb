import { isFree, nextFreeOffset, otherOffset } from "../../host/freePorts";
import { cacheFolder, homeFolder } from "../../host/folders";
import type { DeviceName } from "../../contracts/platform";
import { portsOfNeighbours, recordedPorts } from "../../stack/neighbours";
import type { Settings } from "../../settings/schema";
import { UserError } from "../../contracts/errors";
import { findJava } from "../../host/java";
import { whoListens } from "../../host/listening";
import { findPython } from "../../host/python";
import type { Inspected } from "../../stack/records";
import { stackFiles } from "../../stack/files";
import { listeners, type Listener } from "./place";
import { marker } from "./orphans";
import { ownProcesses, startedWith, type Process } from "../../host/processTable";
import { readOwner } from "../../stack/owner";
import { freeDisk, freeMemory, lacking, together, unusableFolders } from "../../host/requirements";
import { toolNames } from "../../toolchain/tools";

/**
 * Checks before anything is made what would otherwise fail in the middle: prerequisites, room and
 * ports. Nothing is looked at for what stands already.
 *
 * @throws UserError with everything that is missing, or with the port that is taken
 */
export async function preflight(
  settings: Settings,
  stack: string,
  observed: Inspected,
  device: DeviceName,
  startsStore: boolean,
): Promise<void> {
  const needed = portsNeeded(settings, stack, observed, startsStore);
  const tools = toolNames.filter(
    (tool) => !observed.alive(tool) && (startsStore || tool !== "minio-binary"),
  );
  const found = {
    missing: [
      ...unusableFolders(cacheFolder(), homeFolder()),
      ...(tools.includes("python") ? attempt(() => findPython()) : []),
      ...(tools.includes("jars") || needed.length > 0 ? attempt(() => findJava()) : []),
    ],
    ...(tools.includes("python") || tools.includes("minio-binary")
      ? { cacheFree: freeDisk(cacheFolder()), device }
      : {}),
    ...(needed.length > 0
      ? { homeFree: freeDisk(stackFiles(stack).root), memoryFree: freeMemory() }
      : {}),
  };
  const errors = lacking(found);
  if (errors.length > 0) throw together(errors);
  await checkPorts(stack, needed, settings);
}

function attempt(check: () => unknown): UserError[] {
  try {
    check();
    return [];
  } catch (error) {
    if (error instanceof UserError) return [error];
    throw error;
  }
}

type PortSettings = Pick<Settings, "portOffset" | "sparkWorkers">;

/** The ports of services that are to be started: not of those that stand where they are declared. */
export function portsNeeded(
  settings: PortSettings,
  stack: string,
  observed: Pick<Inspected, "alive">,
  startsStore = true,
): Listener[] {
  return listeners(settings.portOffset, settings.sparkWorkers).filter(
    ({ service, port }) =>
      (startsStore || service !== "minio") &&
      !(observed.alive(service) && recordedPorts(stack, service).includes(port)),
  );
}

/**
 * @throws UserError for the first port that neither is free nor held by the stack's leftovers, or
 *   that another running stack has or may take; it names the next offset that is free
 */
export async function checkPorts(
  stack: string,
  needed: readonly Listener[],
  settings: PortSettings,
): Promise<void> {
  const neighbours = await portsOfNeighbours(stack);
  const holder = async (listener: Listener) => {
    const neighbour = neighbours.get(listener.port);
    if (neighbour) return `${neighbour.service} of stack ${neighbour.stack}`;
    if (listener.shared || (await isFree(listener.port))) return undefined;
    const process = whoListens(listener.port);
    if (process && isOurs(stack, process)) return undefined; // its step ends it
    return process ? `${process.name} (pid ${process.pid})` : "another user's process";
  };
  for (const listener of needed) {
    const who = await holder(listener);
    if (who === undefined) continue;
    const portsAt = (offset: number) =>
      listeners(offset, settings.sparkWorkers).map(({ port }) => port);
    const free = await nextFreeOffset(settings.portOffset, portsAt, neighbours);
    throw portTaken(listener, who, settings.portOffset, free);
  }
}

/** The error for a port that somebody else has. */
export function portTaken(
  { port, purpose }: Listener,
  who: string,
  portOffset: number,
  free: number | undefined,
): UserError {
  return new UserError(
    `port ${port} is taken by ${who}`,
    `with portOffset ${portOffset} it is for ${purpose}`,
    otherOffset(free),
  );
}

/** Whether a process, or one that it descends from, was started by this stack's supervisor. */
function isOurs(stack: string, holder: Process): boolean {
  const id = readOwner(stack)?.id;
  if (id === undefined) return false;
  const table = new Map(ownProcesses().map((process) => [process.pid, process]));
  for (let each: Process | undefined = holder; each; each = table.get(each.parent)) {
    if (startedWith(each.pid, marker)?.startsWith(`${id}/`)) return true;
  }
  return false;
}
