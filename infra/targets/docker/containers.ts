import { npm, size } from "../../contracts/check";
import { UserError } from "../../contracts/errors";
import { smallerSizes } from "../serviceChecks";
import type { Docker } from "./daemon";
import { names, roles, type Role } from "./names";
import { containerRole } from "./sizes";

/** More workers than a stack may have. */
const maxWorkers = 16;

/** A container of a stack, as `docker inspect` tells of it. */
export interface Container {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly running: boolean;
  /** Whether the kernel ended one of its processes because its memory was used up. */
  readonly oomKilled: boolean;
  readonly exitCode: number;
  /** How often Docker started it again by itself. */
  readonly restarts: number;
  /** 0 for no limit. */
  readonly memoryBytes: number;
  readonly shmBytes: number;
  /** Whether it was given GPUs. */
  readonly gpu: boolean;
}

/** What of `docker inspect` is read. */
export interface Inspected {
  readonly Id: string;
  readonly Name: string;
  readonly RestartCount: number;
  readonly State: {
    readonly Running: boolean;
    readonly OOMKilled: boolean;
    readonly ExitCode: number;
  };
  readonly HostConfig: {
    readonly Memory: number;
    readonly ShmSize: number;
    readonly Runtime?: string;
    readonly DeviceRequests?: readonly unknown[] | null;
  };
}

/** Asks for containers by name. */
export function inspectContainers(
  docker: Docker,
  stack: string,
  containers: readonly string[],
): Container[] {
  if (containers.length === 0) return [];
  return readInspected(JSON.parse(docker.run(["inspect", ...containers])) as Inspected[], stack);
}

/** The containers of `docker inspect` that have a role in the stack. */
export function readInspected(all: readonly Inspected[], stack: string): Container[] {
  const roleOf = new Map(
    roles(maxWorkers).map((role) => [`/${names(stack).container(role)}`, role]),
  );
  return all.flatMap(({ Id, Name, RestartCount, State, HostConfig }) => {
    const role = roleOf.get(Name);
    if (!role) return [];
    return {
      id: Id,
      name: Name.slice(1),
      role,
      running: State.Running,
      oomKilled: State.OOMKilled,
      exitCode: State.ExitCode,
      restarts: RestartCount,
      memoryBytes: HostConfig.Memory,
      shmBytes: HostConfig.ShmSize,
      gpu: HostConfig.Runtime === "nvidia" || (HostConfig.DeviceRequests ?? []).length > 0,
    };
  });
}

/** Ids of containers in which the kernel ended a process in the last hour: Docker's own mark is for the first process alone. */
export function recentOomEvents(docker: Docker): string[] {
  const events = docker.run([
    ...["events", "--since", "1h", "--until", "0s", "--filter", "event=oom"],
    ...["--format", "{{.Actor.ID}}"],
  ]);
  return events.split("\n");
}

/** @param oomEvents as {@link recentOomEvents} gives them */
export function killedContainers(
  containers: readonly Container[],
  oomEvents: readonly string[],
  stack: string,
): UserError[] {
  return containers.flatMap(({ id, name, role, oomKilled, memoryBytes, restarts, exitCode }) => {
    if (oomKilled || oomEvents.includes(id)) {
      const more = `${Math.ceil((memoryBytes * 1.5) / 2 ** 30)}g`;
      const setting = `'containerMemory={"${containerRole(role)}":"${more}"}'`;
      return [
        new UserError(
          `a process in container ${name} was killed because its ${size(memoryBytes)} of memory were used up (OOMKilled)`,
          "what ran in it has failed, and will fail again",
          `give it more, ${npm(stack, "start", "--config", setting)}, or ${smallerSizes}`,
        ),
      ];
    }
    if (restarts === 0) return [];
    // While it runs, Docker says 0.
    const ended = exitCode === 0 ? "" : `; it ended with exit code ${exitCode}`;
    return [
      new UserError(
        `Docker has restarted container ${name} ${restarts} times${ended}`,
        "what used it meanwhile has failed",
        `see why: ${npm(stack, "logs", name)}`,
      ),
    ];
  });
}
