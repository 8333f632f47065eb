import * as fs from "node:fs";
import { npm, wrong } from "../../contracts/check";
import type { UserError } from "../../contracts/errors";
import {
  check,
  foldersCheck,
  platformCheck,
  writtenFolders,
  type Logs,
  type StackCheck,
  type StackContext,
} from "../../host/checks";
import { portsCheck } from "../../host/freePorts";
import { gpuCheck, gpuFacts, gpuMemoryCheck } from "../../host/gpu";
import { isOlder } from "../../host/probe";
import { parseVersion } from "../../host/runtimes";
import { diskCheck, freeMemory, loads, memoryCheck, sharedMemoryCheck } from "../../host/room";
import { wslCheck } from "../../host/wsl";
import type { Settings } from "../../settings/schema";
import { storeChecks } from "../../stores/checks";
import { environmentCheck, modelCheck, type EnvironmentFacts } from "../../toolchain/checks";
import { rayCheck } from "../dashboard";
import { sparkCheck } from "../masterPage";
import { killed, servicesCheck } from "../serviceChecks";
import { hasGpu, inspectContainers, killedContainers, recentOomEvents } from "./containers";
import {
  anotherDaemon,
  daemonHost,
  daemonInfo,
  Docker,
  isDesktop,
  recordedDaemon,
  type Daemon,
  type DaemonInfo,
} from "./daemon";
import { askForGpus, gpuPlan, type GpuPlan } from "./gpu";
import { find, takenNames, type Foreign } from "./inspect";
import { names, roles, type Role } from "./names";
import { takenPort } from "./place";
import { tooLarge } from "./sizes";

/** The daemon that `docker` uses, and the one that the stack was made on. */
export interface DaemonFacts {
  readonly host: string;
  readonly info: DaemonInfo;
  readonly recorded?: Daemon;
}

/** @throws UserError where no daemon answers */
export function daemonOf({ stack }: StackContext): DaemonFacts & { readonly docker: Docker } {
  const host = daemonHost();
  return {
    host,
    docker: new Docker(host),
    info: daemonInfo(host),
    recorded: recordedDaemon(stack),
  };
}

/** What the stack has on the daemon. */
export const foundOf = ({ id, facts }: StackContext) => find(facts(daemonOf).docker, id);

const containersOf = ({ stack, facts }: StackContext) =>
  inspectContainers(facts(daemonOf).docker, stack, [...facts(foundOf).containers.keys()]);

const runningRole = ({ facts }: StackContext, role: Role) =>
  facts(containersOf).find((each) => each.role === role && each.State.Running);

/** What the models run on; nothing is asked where no GPU is wanted. */
export const gpuPlanOf = ({ settings, facts }: StackContext): GpuPlan =>
  settings.gpu === "off"
    ? { device: "cpu" }
    : gpuPlan(settings.gpuWorkers, askForGpus(facts(daemonOf).info, facts(gpuFacts)));

const minDocker = "20.10";

export function unfitDaemon(
  { host, info, recorded }: DaemonFacts,
  settings: Settings,
  stack: string,
): UserError[] {
  const { ServerVersion: version = "0", OSType: system = "linux", ID: id = "" } = info;
  return [
    ...(isOlder(version, minDocker)
      ? wrong(
          `the Docker daemon at ${host} is ${version}, and ${minDocker} or later is needed`,
          "the provider speaks with it in a newer protocol",
          "upgrade Docker: https://docs.docker.com/engine/install/",
        )
      : []),
    ...(system !== "linux"
      ? wrong(
          `the Docker daemon at ${host} runs ${system} containers`,
          "all images are Linux images",
          "switch Docker Desktop to Linux containers",
        )
      : []),
    ...anotherDaemon(stack, recorded, { host, id }),
    ...tooLarge(settings, { cpus: info.NCPU ?? 1, memoryBytes: info.MemTotal ?? 0 }),
  ];
}

export function takenBy(taken: readonly Foreign[], stack: string): UserError[] {
  if (taken.length === 0) return [];
  const ids = [...new Set(taken.map(({ id }) => id).filter(Boolean))];
  return wrong(
    `the Docker daemon has ${taken.map(({ kind, name }) => `${kind} ${name}`).join(", ")}, which stack ${stack} has not made`,
    ids.length > 0
      ? `they belong to the stack with the id ${ids.join(", ")}, of another home, user or checkout`
      : "stack dev gives its containers the plain names of their roles",
    "choose another stack: its names begin with the name of the stack. If nobody needs them any more, " +
      "destroy that stack where it was deployed, or remove them with docker",
  );
}

function environmentOf(context: StackContext): EnvironmentFacts | undefined {
  const app = runningRole(context, "app");
  if (!app) return undefined;
  const { docker } = context.facts(daemonOf);
  const script = "/opt/venv/bin/python --version && ls /opt/venv/lib/python3*/site-packages";
  const lines = docker.try(["exec", app.name, "bash", "-c", script], 20_000)?.split("\n") ?? [];
  return {
    folder: `${app.name}:/opt/venv`,
    python: parseVersion(lines[0]),
    packages: lines,
    // The image is named by a hash of the lock, so that a preview shows a change.
    ofThisLock: true,
  };
}

/** Where the daemon keeps its data, if that can be seen from here. */
function dataRoot({ facts }: StackContext): string | undefined {
  const { info } = facts(daemonOf);
  const root = info.DockerRootDir;
  return root !== undefined && !isDesktop(info) && fs.existsSync(root) ? root : undefined;
}

const logs: Logs = ({ stack }, service) =>
  npm(stack, "logs", names(stack).container(service as Role));

/** What target `docker` needs of this machine and its daemon, and of the containers. */
export const checks: readonly StackCheck[] = [
  platformCheck,
  wslCheck,
  check({
    id: "docker",
    name: "the Docker daemon answers and has room for the containers",
    blocks: true,
    observe: (context): DaemonFacts => context.facts(daemonOf),
    judge: (facts, { settings, stack }) => unfitDaemon(facts, settings, stack),
  }),
  check({
    id: "names",
    name: "nothing else on the daemon has a name of the stack's",
    blocks: true,
    after: ["docker"],
    observe: ({ stack, settings, facts }) =>
      takenNames(facts(daemonOf).docker, stack, settings.sparkWorkers, facts(foundOf)),
    judge: (taken, { stack }) => takenBy(taken, stack),
  }),
  foldersCheck(false),
  portsCheck(({ stack, settings, facts }) => {
    const { containers } = facts(foundOf);
    return takenPort(settings.portOffset, (role) =>
      Boolean(containers.get(names(stack).container(role))?.running),
    );
  }),
  diskCheck((context) => {
    const root = dataRoot(context);
    const own = root === undefined ? [] : [{ folder: root, variable: "Docker's data-root" }];
    return [...writtenFolders(), ...own].map((each) => ({ ...each, load: loads.runs }));
  }, false),
  memoryCheck(({ facts }) => {
    const served = [...facts(foundOf).containers.values()].some(({ running }) => running);
    // Containers are no children of this process, and Docker Desktop has a machine of its own.
    return isDesktop(facts(daemonOf).info) ? { served } : { free: freeMemory(), served };
  }, false),
  sharedMemoryCheck(({ facts }) => {
    const worker = facts(containersOf).find(({ role }) => role === "ray-worker");
    return { of: `/dev/shm of ${worker?.name}`, bytes: worker?.HostConfig.ShmSize };
  }),
  gpuCheck(({ facts }) => {
    const plan = facts(gpuPlanOf);
    return plan.device === "cpu" ? plan.missing : undefined;
  }),
  gpuMemoryCheck((context) => {
    const worker = runningRole(context, "ray-worker");
    return worker && hasGpu(worker)
      ? context.facts(daemonOf).docker.both(["exec", worker.name, "nvidia-smi", "-L"], 10_000)
      : undefined;
  }),
  modelCheck,
  servicesCheck(
    ({ stack, settings }) =>
      roles(settings.sparkWorkers).map((role) => names(stack).container(role)),
    ({ facts }) =>
      [...facts(foundOf).containers].map(([name, { status }]) => ({ name, state: status })),
  ),
  check({
    ...killed,
    observe: ({ facts }) => ({
      containers: facts(containersOf),
      oomEvents: recentOomEvents(facts(daemonOf).docker),
    }),
    judge: ({ containers, oomEvents }, { stack }) => killedContainers(containers, oomEvents, stack),
  }),
  environmentCheck(environmentOf),
  ...storeChecks(logs),
  sparkCheck(logs),
  rayCheck(2, logs),
];
