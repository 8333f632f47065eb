import * as fs from "node:fs";
import { npm, wrong, type UserError } from "../../contracts/errors";
import { homeFolder, namesIn, readOr } from "../../host/folders";
import {
  check,
  javaCheck,
  limitsCheck,
  proxyCheck,
  pythonCheck,
  type StackCheck,
  type StackContext,
} from "../../host/checks";
import { holderOf, isFree, nextFreeOffset, portsCheck, type TakenPort } from "../../host/freePorts";
import { deviceHere, gpuCheck, gpuMemoryCheck } from "../../host/gpu";
import { whoListens, ownProcesses, startedWith, type Process } from "../../host/processTable";
import { memoryCheck, memoryHere, sharedMemoryCheck, sharedMemoryHere } from "../../host/room";
import type { Settings } from "../../settings/schema";
import { stackFiles } from "../../stack/files";
import { readOwner } from "../../stack/owner";
import { readStepRecord, recordedNames, type Inspected } from "../../stack/records";
import { storeNamed } from "../../stores";
import { storeChecks } from "../../stores/checks";
import { environmentCheck, environmentHere, modelCheck } from "../../toolchain/checks";
import type { ToolName } from "../../toolchain/tools";
import { diskHere, killed, machineChecks, servicesCheck, smallerSizes } from "../checks";
import { rayCheck, sparkCheck } from "../serviceChecks";
import { listeners, type Listener } from "./place";
import { serviceVariable } from "./supervisord";
import { inspect, services } from "./executor";

export const existingOf = ({ stack }: StackContext) => inspect(stack);

const lacks =
  (...tools: readonly ToolName[]) =>
  async (context: StackContext) => {
    const { alive } = await context.facts(existingOf);
    const wanted = tools.filter((tool) => isAsked(context.settings, tool));
    return wanted.some((tool) => !alive(tool));
  };

const lacksTools = lacks("python", "minio-binary", "toxiproxy-binary");

const needed = async ({ settings, stack, facts }: StackContext) =>
  portsNeeded(settings, stack, await facts(existingOf));

const starts = async (context: StackContext) => (await needed(context)).length > 0;

type PortSettings = Pick<Settings, "portOffset" | "sparkWorkers" | "objectStore" | "network">;

/** Whether settings ask for a service, or for a tool that has its name. */
function isAsked({ objectStore, network }: PortSettings, name: string): boolean {
  if (name.startsWith("minio")) return !storeNamed(objectStore).external;
  return !name.startsWith("toxiproxy") || network !== "none";
}

/** All that listens in the stack, by its settings. */
const listenersOf = (settings: PortSettings) =>
  listeners(settings.portOffset, settings.sparkWorkers).filter(({ service }) =>
    isAsked(settings, service),
  );

/** The ports of services that are to be started: not of those that run where they are declared. */
export function portsNeeded(
  settings: PortSettings,
  stack: string,
  existing: Pick<Inspected, "alive">,
): Listener[] {
  return listenersOf(settings).filter(
    ({ service, port }) =>
      !(existing.alive(service) && recordedPorts(stack, service).includes(port)),
  );
}

/**
 * The recorded ports of this user's other stacks that run, with all of Ray's range for workers:
 * those listen only while a worker lives, so that asking the system does not show them.
 */
export async function portsOfNeighbours(stack: string) {
  const found = new Map<number, { readonly stack: string; readonly service: string }>();
  for (const name of namesIn(homeFolder())) {
    if (name === stack || !(await runs(name))) continue;
    for (const service of recordedNames(name)) {
      for (const port of recordedPorts(name, service)) found.set(port, { stack: name, service });
    }
  }
  return found;
}

async function runs(stack: string): Promise<boolean> {
  const [api] = recordedPorts(stack, "minio");
  return api !== undefined && !(await isFree(api));
}

function recordedPorts(stack: string, service: string): number[] {
  const { ports = {} } = (readStepRecord(stack, service)?.result ?? {}) as {
    ports?: Readonly<Record<string, number>>;
  };
  const { firstWorker = 0, lastWorker = -1, ...single } = ports;
  const range = Array.from({ length: lastWorker - firstWorker + 1 }, (_, n) => firstWorker + n);
  return [...Object.values(single), ...range];
}

/**
 * The first port that is neither free nor held by the stack's orphans, or that another running stack
 * has or may take.
 */
export async function takenPort(
  stack: string,
  needed: readonly Listener[],
  settings: PortSettings,
): Promise<TakenPort | undefined> {
  if (needed.length === 0) return undefined;
  const neighbours = await portsOfNeighbours(stack);
  for (const { port, purpose, shared } of needed) {
    const neighbour = neighbours.get(port);
    if (!neighbour && (shared || (await isFree(port)) || isOurs(stack, whoListens(port)))) continue;
    const who = neighbour ? `${neighbour.service} of stack ${neighbour.stack}` : holderOf(port);
    const portsAt = (portOffset: number) =>
      listenersOf({ ...settings, portOffset }).map((each) => each.port);
    const freeOffset = await nextFreeOffset(settings.portOffset, portsAt, neighbours);
    return { port, purpose, who, freeOffset };
  }
  return undefined;
}

/** Whether a process, or one that it descends from, was started by this stack's supervisor. */
function isOurs(stack: string, holder: Process | undefined): boolean {
  const id = readOwner(stack)?.id;
  if (id === undefined) return false;
  const table = new Map(ownProcesses().map((process) => [process.pid, process]));
  for (let each = holder; each; each = table.get(each.parent)) {
    if (startedWith(each.pid, serviceVariable)?.startsWith(`${id}/`)) return true;
  }
  return false;
}

/** An unexpected end of a service, as its supervisor wrote it down. */
export type Ended = ReturnType<typeof parseEnds>[number];

/** Reads lines, whose times are UTC, such as `2026-05-01 10:00:00,123 WARN exited: minio (terminated by SIGKILL; not expected)`. */
export function parseEnds(log: string) {
  const line = /^(\S+ [\d:]+),\d+ \S+ exited: (\S+) \((.*); not expected\)$/gm;
  return [...log.matchAll(line)].map(([, at, name, how]) => ({
    name,
    /** e.g. `terminated by SIGKILL` or `exit status 1` */
    how,
    /** Milliseconds of the epoch. */
    at: Date.parse(`${at.replace(" ", "T")}Z`),
  }));
}

/** Reads out of /proc/vmstat how many processes the kernel has ended because memory ran out. */
export function parseKernelKills(vmstat: string): number | undefined {
  const found = /^oom_kill (\d+)$/m.exec(vmstat);
  return found ? Number(found[1]) : undefined;
}

/**
 * A service that died and was started again: what ran meanwhile has failed, and it will happen again.
 *
 * @param kernelKills as {@link parseKernelKills}; undefined where it is not known
 */
export function killedServices(
  { ends, kernelKills }: { readonly ends: readonly Ended[]; readonly kernelKills?: number },
  stack: string,
): UserError[] {
  return [...new Set(ends.map(({ name }) => name))].flatMap((name) => {
    const all = ends.filter((end) => end.name === name);
    const { how, at } = all[all.length - 1];
    const often = all.length === 1 ? "once" : `${all.length} times`;
    const last = new Date(at).toISOString().slice(11, 19);
    const what = `${name} ended by itself ${often} in the last hour, last at ${last} UTC: ${how}`;
    if (!how.includes("SIGKILL") || kernelKills === 0) {
      const why = "the supervisor has started it again, but what used it has failed";
      return wrong(what, why, `see why: ${npm(stack, "logs", name)}`);
    }
    const counted = kernelKills
      ? ` (it has ended ${kernelKills} processes since boot because memory ran out)`
      : "";
    const why = `SIGKILL is how the kernel ends the largest process when memory runs out${counted}`;
    return wrong(what, why, `${smallerSizes}; dmesg, where it may be read, names what was ended`);
  });
}

/** Ends of the last hour, of services as they are declared now: what was fixed since is past. */
function recentEnds(stack: string): Ended[] {
  const { supervisorLog, program } = stackFiles(stack);
  const declared = (name: string) =>
    fs.statSync(program(name), { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
  return parseEnds(readOr(supervisorLog) ?? "").filter(
    ({ name, at }) => at >= Math.max(declared(name), Date.now() - 3_600_000),
  );
}

const logs = ({ stack }: Pick<StackContext, "stack">, service: string) =>
  npm(stack, "logs", service);

/** What target `local` needs of this machine, and of the services on it. */
export const checks: readonly StackCheck[] = [
  ...machineChecks,
  limitsCheck,
  javaCheck(async (context) => (await lacks("jars")(context)) || starts(context)),
  pythonCheck(lacks("python")),
  proxyCheck(lacks("jars", "python", "minio-binary", "toxiproxy-binary")),
  portsCheck(async (context) => takenPort(context.stack, await needed(context), context.settings)),
  diskHere(lacksTools, starts, (context) => context.facts(deviceHere).device),
  memoryCheck(async ({ facts }) => memoryHere((await facts(existingOf)).alive("ray-head")), starts),
  sharedMemoryCheck(sharedMemoryHere),
  gpuCheck((context) => context.facts(deviceHere).missing),
  gpuMemoryCheck(() => undefined),
  modelCheck,
  servicesCheck(
    ({ settings }) => [...new Set(listenersOf(settings).map(({ service }) => service))],
    ({ stack }) => services.status(stack),
  ),
  check({
    ...killed,
    observe: ({ stack }) => ({
      ends: recentEnds(stack),
      kernelKills: parseKernelKills(readOr("/proc/vmstat") ?? ""),
    }),
    judge: (facts, { stack }) => killedServices(facts, stack),
  }),
  environmentCheck(({ stack }) => environmentHere(stack)),
  ...storeChecks(logs),
  sparkCheck(logs),
  rayCheck(1, logs),
];
