import { containerRoles, type ContainerRole } from "../../settings/platforms";
import type { Settings } from "../../settings/schema";
import { wrong } from "../../contracts/check";
import type { UserError } from "../../contracts/errors";
import type { Role } from "./names";

/** What a container may use at most. */
export interface Size {
  readonly memoryMib: number;
  /** CPUs, such as 1.5; undefined: all that the daemon has. */
  readonly cpus: number | undefined;
  /** Size of /dev/shm. */
  readonly shmMib: number;
}

/** A role without its number, as the settings name it. */
export function containerRole(role: Role): ContainerRole {
  return role.startsWith("spark-worker-") ? "spark-worker" : (role as ContainerRole);
}

const mib = (bytes: number) => Math.ceil(bytes / 2 ** 20);

/** What Ray keeps beside its object store in /dev/shm. */
const shmMargin = 64;

/** A process that holds the model and decodes a batch of images: 0.4 to 0.8 GB were measured. */
const modelProcess = 1024;

/**
 * The size of a role's container: what the settings give it, else what its work needs by the
 * settings of Spark and Ray. An engine gets the same cores on every target: `sparkWorkers` x
 * `sparkWorkerCores` for Spark, native Daft and the baseline, `rayCpus` for Ray. Where an
 * engine has one container, that has the memory that a run may take; several are held to it by
 * measuring.
 *
 * @param cpus what the daemon has; a container cannot be given more
 */
export function sizeOf(role: ContainerRole, settings: Settings, cpus: number): Size {
  const usual = usualSize(role, settings);
  const memory = settings.containerMemory[role];
  const shm = settings.containerShm[role];
  const wantedCpus = settings.containerCpus[role] ?? usual.cpus;
  return {
    memoryMib: memory === undefined ? usual.memoryMib : mib(memory),
    shmMib: shm === undefined ? usual.shmMib : mib(shm),
    cpus: wantedCpus === undefined ? undefined : Math.min(wantedCpus, cpus),
  };
}

function usualSize(
  role: ContainerRole,
  settings: Settings,
): { memoryMib: number; shmMib: number; cpus?: number } {
  const { threads } = settings;
  const objectStore = mib(settings.rayObjectStoreMemory);
  switch (role) {
    case "minio":
      return { memoryMib: 1024, shmMib: 64 };
    case "spark-master":
      return { memoryMib: 1024, shmMib: 64 };
    case "spark-worker":
      // The worker's own JVM, the executor's beyond its heap, and a Python process for each core.
      return {
        memoryMib:
          mib(settings.sparkWorkerMemory) + 1024 + settings.sparkWorkerCores * modelProcess,
        shmMib: 64,
        cpus: settings.sparkWorkerCores,
      };
    case "ray-head":
      // Its services, and the drivers of the jobs.
      return { memoryMib: 3072 + headObjectStoreMib, shmMib: headObjectStoreMib + shmMargin };
    case "ray-worker":
      return {
        memoryMib: objectStore + shmMargin + 1024 + settings.rayCpus * modelProcess,
        shmMib: objectStore + shmMargin,
        cpus: settings.rayCpus,
      };
    case "app":
      return { memoryMib: mib(settings.runMemory), shmMib: 64, cpus: threads };
  }
}

/** The head runs no tasks: its object store only passes on what drivers hold. */
export const headObjectStoreMib = 256;

/**
 * Containers that do not fit into the daemon's memory by themselves. Together they may be allowed
 * more than there is: engines run one after the other.
 */
export function tooLarge(
  settings: Settings,
  daemon: { cpus: number; memoryBytes: number },
): UserError[] {
  const available = mib(daemon.memoryBytes);
  return containerRoles.flatMap((role) => {
    const { memoryMib, shmMib } = sizeOf(role, settings, daemon.cpus);
    if (memoryMib <= available && shmMib <= memoryMib) return [];
    return wrong(
      memoryMib > available
        ? `container ${role} is to have ${memoryMib} MiB of memory, but the Docker daemon has ${available} MiB`
        : `container ${role} is to have ${shmMib} MiB of /dev/shm in ${memoryMib} MiB of memory`,
      "the kernel would kill its processes when memory runs out",
      "set containerMemory or containerShm for it, a smaller runMemory, or smaller sizes for " +
        "Spark's and Ray's workers; Docker Desktop has its own memory limit in its settings",
    );
  });
}
