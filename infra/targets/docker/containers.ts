import { npm, size, wrong } from "../../contracts/check";
import type { UserError } from "../../contracts/errors";
import { smallerSizes } from "../serviceChecks";
import type { Docker } from "./daemon";
import { names, roles, type Role } from "./names";
import { containerRole } from "./sizes";

/** More workers than a stack may have. */
const maxWorkers = 16;

/** What is read of `docker inspect`. */
export interface Inspected {
  readonly Id: string;
  readonly Name: string;
  /** How often Docker started it again by itself. */
  readonly RestartCount: number;
  readonly State: {
    readonly Running: boolean;
    /** Whether the kernel ended its first process because its memory was used up. */
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

/** A container of a stack. */
export interface Container extends Inspected {
  readonly name: string;
  readonly role: Role;
}

/** Asks for containers by name. */
export function inspectContainers(
  docker: Docker,
  stack: string,
  containers: readonly string[],
): Container[] {
  if (containers.length === 0) return [];
  return withRoles(JSON.parse(docker.run(["inspect", ...containers])) as Inspected[], stack);
}

/** The containers that have a role in the stack. */
export function withRoles(all: readonly Inspected[], stack: string): Container[] {
  const roleOf = new Map(roles(maxWorkers).map((role) => [names(stack).container(role), role]));
  return all.flatMap((one) => {
    const name = one.Name.slice(1);
    const role = roleOf.get(name);
    return role ? [{ ...one, name, role }] : [];
  });
}

/** Whether a container was given GPUs. */
export function hasGpu({ HostConfig: { Runtime, DeviceRequests } }: Inspected): boolean {
  return Runtime === "nvidia" || (DeviceRequests ?? []).length > 0;
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
