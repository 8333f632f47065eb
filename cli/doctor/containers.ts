import * as fs from "node:fs";
import {
  Docker,
  daemonHost,
  daemonInfo,
  recordedDaemon,
  type DaemonInfo,
} from "../../infra/targets/docker/daemon";
import { find, type Found } from "../../infra/targets/docker/inspect";
import { names, roles, type Role } from "../../infra/targets/docker/names";

/** More workers than a stack may have. */
const mostWorkers = 16;

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

/** A stack's daemon with what the stack has on it. */
export interface Surroundings {
  readonly docker: Docker;
  readonly info: DaemonInfo;
  /** Docker Desktop, whose daemon is in a machine of its own. */
  readonly desktop: boolean;
  /** Where the daemon keeps its data, if that can be seen from here. */
  readonly root: string | undefined;
  readonly found: Found;
  readonly inspected: readonly Container[];
}

/**
 * Asks the daemon that the stack was made on, or the one that `docker` uses.
 *
 * @throws UserError where none answers
 */
export function surroundings(stack: string): Surroundings {
  const host = recordedDaemon(stack)?.host ?? daemonHost();
  const info = daemonInfo(host);
  const docker = new Docker(host);
  const found = find(docker, stack);
  const desktop = info.OperatingSystem === "Docker Desktop";
  const root = info.DockerRootDir;
  return {
    docker,
    info,
    desktop,
    root: root !== undefined && !desktop && fs.existsSync(root) ? root : undefined,
    found,
    inspected: inspect(docker, stack, [...found.containers.keys()]),
  };
}

function inspect(docker: Docker, stack: string, containers: readonly string[]): Container[] {
  if (containers.length === 0) return [];
  const all = JSON.parse(docker.run(["inspect", ...containers])) as Inspected[];
  return readInspected(all, stack);
}

/** The containers of `docker inspect` that have a role in the stack. */
export function readInspected(all: readonly Inspected[], stack: string): Container[] {
  const roleOf = new Map(
    roles(mostWorkers).map((role) => [`/${names(stack).container(role)}`, role]),
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
