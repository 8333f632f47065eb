import * as fs from "node:fs";
import * as path from "node:path";
import { names, roles } from "../../infra/targets/docker/names";
import { stackFiles } from "../../infra/stack/files";
import { UserError } from "../../infra/contracts/errors";
import type { ServiceView } from "../../infra/contracts/target";
import {
  check,
  isLocal,
  npm,
  size,
  stands,
  startsEngines,
  type Check,
  type Named,
  type Patient,
} from "./check";
import { surroundings, type Container } from "./containers";
import { readOr } from "./places";

const running = /^(RUNNING|Up\b(?!.*unhealthy))/;

/** @param expected names that should be among the services */
export function notRunning(
  services: readonly ServiceView[],
  expected: readonly string[],
  stack: string,
): UserError[] {
  const there = new Set(services.map(({ name }) => name));
  const gone = expected
    .filter((name) => !there.has(name))
    .map(
      (name) =>
        new UserError(
          `${name} is not there`,
          "what depends on it fails or waits",
          `${npm(stack, "start")} makes it`,
        ),
    );
  const stopped = services
    .filter(({ state }) => !running.test(state))
    .map(
      ({ name, state }) =>
        new UserError(
          `${name} is ${state}`,
          "what depends on it fails or waits",
          `see why: ${npm(stack, "logs", name)}; then ${npm(stack, "start")} starts it again`,
        ),
    );
  return [...gone, ...stopped];
}

/** An unexpected end of a service, as its supervisor wrote it down. */
export interface Ended {
  readonly name: string;
  /** e.g. `terminated by SIGKILL` or `exit status 1` */
  readonly how: string;
  /** Milliseconds of the epoch. */
  readonly at: number;
}

/** Reads lines such as `2026-05-01 10:00:00,123 WARN exited: minio (terminated by SIGKILL; not expected)`. */
export function parseEnds(log: string): Ended[] {
  const line = /^(\S+ [\d:]+),\d+ \S+ exited: (\S+) \((.*); not expected\)$/gm;
  return [...log.matchAll(line)].map(([, at, name, how]) => ({
    name,
    how,
    at: Date.parse(at.replace(" ", "T")),
  }));
}

/** What was killed, and by whom, as far as that can be known. */
export interface Killed {
  readonly ends: readonly Ended[];
  /** Processes that the kernel has ended since boot because memory ran out; undefined: not told. */
  readonly kernelKills?: number;
}

/** Reads /proc/vmstat. */
export function parseKernelKills(vmstat: string): number | undefined {
  const found = /^oom_kill (\d+)$/m.exec(vmstat);
  return found ? Number(found[1]) : undefined;
}

export const smallerSizes =
  "smaller sparkWorkerMemory, rayObjectStoreMemory or batchSize, fewer sparkWorkers, other programs closed";

/** A service that died and was started again: what ran meanwhile has failed, and it will happen again. */
export function killedServices({ ends, kernelKills }: Killed, stack: string): UserError[] {
  const names = [...new Set(ends.map(({ name }) => name))];
  return names.map((name) => {
    const all = ends.filter((end) => end.name === name);
    const { how, at } = all[all.length - 1];
    const often = all.length === 1 ? "once" : `${all.length} times`;
    const killed = how.includes("SIGKILL");
    const memory = killed && kernelKills !== 0;
    const counted =
      kernelKills === undefined
        ? ""
        : ` (the kernel has ended ${kernelKills} processes since boot because memory ran out)`;
    return new UserError(
      `${name} ended by itself ${often} in the last hour, last at ${new Date(at).toISOString().slice(11, 19)} UTC: ${how}`,
      memory
        ? `SIGKILL is how the kernel ends the largest process when memory runs out${counted}`
        : "the supervisor has started it again, but what used it has failed",
      memory
        ? `${smallerSizes}; dmesg names what was ended, where it may be read`
        : `see why: ${npm(stack, "logs", name)}`,
    );
  });
}

/**
 * @param oomEvents ids of containers in which the kernel ended a process in the last hour: Docker's
 *   own mark is for the first process alone
 */
export function killedContainers(
  containers: readonly Container[],
  oomEvents: readonly string[],
  stack: string,
): UserError[] {
  return containers.flatMap(({ id, name, role, oomKilled, memoryBytes, restarts, exitCode }) => {
    if (oomKilled || oomEvents.includes(id)) {
      const setting = role.replace(/^spark-worker-\d+$/, "spark-worker");
      return [
        new UserError(
          `a process in container ${name} was killed because its ${size(memoryBytes)} of memory were used up (OOMKilled)`,
          "what ran in it has failed, and will fail again",
          `give it more, ${npm(stack, "start", "--config", `'containerMemory={"${setting}":"${Math.ceil((memoryBytes * 1.5) / 2 ** 30)}g"}'`)}, or ${smallerSizes}`,
        ),
      ];
    }
    if (restarts === 0) return [];
    return [
      new UserError(
        `Docker has started container ${name} again ${restarts} times; it ended with exit code ${exitCode}`,
        "what used it meanwhile has failed",
        `see why: ${npm(stack, "logs", name)}`,
      ),
    ];
  });
}

/** What of Docker's services target local does not have: Ray's worker and the container for people. */
const ofDocker = ["ray-worker", "app"];

/** The services that a stack is to have, by the names that its keeper gives them. */
export function expectedServices({ stack, settings }: Named): string[] {
  const all = roles(settings.sparkWorkers);
  if (settings.target === "docker") return all.map((role) => names(stack).container(role));
  const elsewhere = settings.objectStore === "minio" ? ofDocker : [...ofDocker, "minio"];
  return all.filter((role) => !elsewhere.includes(role));
}

const recent = 3_600_000;

/** Ends of the last hour, of services as they are declared now: what was mended since is past. */
function endsNow(stack: string): Ended[] {
  const { supervisor, programs } = stackFiles(stack);
  const log = readOr(path.join(supervisor, "supervisord.log")) ?? "";
  const declared = (name: string) => {
    const file = path.join(programs, `${name}.conf`);
    return fs.existsSync(file) ? fs.statSync(file).mtimeMs : Infinity;
  };
  return parseEnds(log).filter(
    ({ name, at }) => at >= Math.max(declared(name), Date.now() - recent),
  );
}

async function killed(patient: Patient): Promise<UserError[]> {
  const { stack } = patient;
  if (isLocal(patient)) {
    const kernelKills = parseKernelKills(readOr("/proc/vmstat") ?? "");
    return killedServices({ ends: endsNow(stack), kernelKills }, stack);
  }
  const { docker, inspected } = surroundings(stack);
  const events = docker.run([
    ...["events", "--since", "1h", "--until", "0s", "--filter", "event=oom"],
    ...["--format", "{{.Actor.ID}}"],
  ]);
  return killedContainers(inspected, events.split("\n"), stack);
}

export const serviceChecks: readonly Check[] = [
  check({
    id: "services",
    name: "every service runs",
    applies: (patient) => stands(patient) && startsEngines(patient),
    after: ["docker"],
    observe: ({ services }) => services,
    judge: (services, patient) => notRunning(services, expectedServices(patient), patient.stack),
  }),
  {
    id: "killed",
    name: "no service was killed, or has died, lately",
    applies: (patient) => stands(patient) && startsEngines(patient),
    after: ["docker"],
    look: killed,
  },
];
