import * as fs from "node:fs";
import { npm, size, wrong, type UserError } from "../../contracts/errors";
import {
  check,
  foldersCheck,
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
import { platformCheck, untriedCheck } from "../../host/platform";
import { wslCheck } from "../../host/wsl";
import type { Settings } from "../../settings/schema";
import { storeChecks } from "../../stores/checks";
import { environmentCheck, modelCheck, type EnvironmentFacts } from "../../toolchain/checks";
import { killed, servicesCheck, smallerSizes } from "../checks";
import { rayCheck, sparkCheck } from "../serviceChecks";
import {
  anotherDaemon,
  daemonHost,
  daemonInfo,
  Docker,
  isDesktop,
  daemonRecord,
  type Daemon,
  type DaemonInfo,
} from "./daemon";
import {
  inspect,
  names,
  roles,
  takenNames,
  withRoles,
  type Container,
  type Foreign,
  type Inspected,
  type Role,
} from "./inspect";
import { takenPort } from "./place";
import { askForGpus, containerRole, gpuPlan, tooLarge, type GpuPlan } from "./resources";

/** The daemon that `docker` uses, and the one that the stack was made on. */
interface DaemonFacts {
  readonly host: string;
  readonly info: DaemonInfo;
  readonly recorded?: Daemon;
}

/** @throws UserError where no daemon answers */
export function daemonOf({ stack }: StackContext) {
  const host = daemonHost();
  const recorded = daemonRecord.read(stack);
  return { host, docker: new Docker(host), info: daemonInfo(host), recorded };
}

export const existingOf = ({ id, facts }: StackContext) => inspect(facts(daemonOf).docker, id);

const containersOf = ({ stack, facts }: StackContext) => {
  const names = [...facts(existingOf).containers.keys()];
  const inspected = names.length > 0 ? facts(daemonOf).docker.run(["inspect", ...names]) : "[]";
  return withRoles(JSON.parse(inspected) as Inspected[], stack);
};

const runningRole = ({ facts }: StackContext, role: Role) =>
  facts(containersOf).find((each) => each.role === role && each.State.Status === "running");

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
  const tooOld = wrong(
    `the Docker daemon at ${host} is ${version}, and ${minDocker} or later is needed`,
    "the provider speaks with it in a newer protocol",
    "upgrade Docker: https://docs.docker.com/engine/install/",
  );
  const notLinux = wrong(
    `the Docker daemon at ${host} runs ${system} containers`,
    "all images are Linux images",
    "switch Docker Desktop to Linux containers",
  );
  return [
    ...(isOlder(version, minDocker) ? tooOld : []),
    ...(system !== "linux" ? notLinux : []),
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

/** Of the last hour; Docker's own mark is for a container's first process alone. */
const oomEvents = ["events", "--since", "1h", "--until", "0s", "--filter", "event=oom"];

/** @param oomEvents ids of containers in which the kernel ended a process */
export function killedContainers(
  containers: readonly Container[],
  oomEvents: readonly string[],
  stack: string,
): UserError[] {
  return containers.flatMap(({ Id, name, role, State, HostConfig: { Memory }, RestartCount }) => {
    if (State.OOMKilled || oomEvents.includes(Id)) {
      const more = `${Math.ceil((Memory * 1.5) / 2 ** 30)}g`;
      const setting = `'containerMemory={"${containerRole(role)}":"${more}"}'`;
      return wrong(
        `a process in container ${name} was killed because its ${size(Memory)} of memory were used up (OOMKilled)`,
        "what ran in it has failed, and will fail again",
        `give it more, ${npm(stack, "start", "--config", setting)}, or ${smallerSizes}`,
      );
    }
    if (RestartCount === 0) return [];
    // While it runs, Docker says 0.
    const ended = State.ExitCode === 0 ? "" : `; it ended with exit code ${State.ExitCode}`;
    return wrong(
      `Docker has restarted container ${name} ${RestartCount} times${ended}`,
      "what used it meanwhile has failed",
      `see why: ${npm(stack, "logs", name)}`,
    );
  });
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

const logs: Logs = ({ stack }, service) =>
  npm(stack, "logs", names(stack).container(service as Role));

/** What target `docker` needs of this machine and its daemon, and of the containers. */
export const checks: readonly StackCheck[] = [
  platformCheck,
  untriedCheck,
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
    observe: ({ stack, settings, id, facts }) =>
      takenNames(facts(daemonOf).docker, stack, settings.sparkWorkers, id),
    judge: (taken, { stack }) => takenBy(taken, stack),
  }),
  foldersCheck(false),
  portsCheck(({ stack, settings, facts }) => {
    const { containers } = facts(existingOf);
    return takenPort(settings.portOffset, (role) =>
      Boolean(containers.get(names(stack).container(role))?.running),
    );
  }),
  diskCheck(({ facts }) => {
    const { info } = facts(daemonOf);
    const folder = info.DockerRootDir;
    // Docker Desktop has it in its own machine.
    const visible = folder !== undefined && !isDesktop(info) && fs.existsSync(folder);
    const own = visible ? [{ folder, variable: "Docker's data-root" }] : [];
    return [...writtenFolders(), ...own].map((each) => ({ ...each, load: loads.runs }));
  }, false),
  memoryCheck(({ facts }) => {
    const served = [...facts(existingOf).containers.values()].some(({ running }) => running);
    // Containers are no children of this process, and Docker Desktop has its own machine.
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
    const { Runtime, DeviceRequests } = worker?.HostConfig ?? {};
    return worker && (Runtime === "nvidia" || (DeviceRequests ?? []).length > 0)
      ? context.facts(daemonOf).docker.both(["exec", worker.name, "nvidia-smi", "-L"], 10_000)
      : undefined;
  }),
  modelCheck,
  servicesCheck(
    ({ stack, settings }) =>
      roles(settings.sparkWorkers).map((role) => names(stack).container(role)),
    ({ facts }) =>
      [...facts(existingOf).containers].map(([name, { status }]) => ({ name, state: status })),
  ),
  check({
    ...killed,
    observe: ({ facts }) => ({
      containers: facts(containersOf),
      oomEvents: facts(daemonOf)
        .docker.run([...oomEvents, "--format", "{{.Actor.ID}}"])
        .split("\n"),
    }),
    judge: ({ containers, oomEvents }, { stack }) => killedContainers(containers, oomEvents, stack),
  }),
  environmentCheck(environmentOf),
  ...storeChecks(logs),
  sparkCheck(logs),
  rayCheck(2, logs),
];
