import type * as docker from "@pulumi/docker";
import { wrong, type UserError } from "../../contracts/errors";
import type { Machine } from "../../contracts/target";
import { clampNote, gpusIn, missingGpu, type GpuFacts, type Missing } from "../../host/gpu";
import { isOlder, probe } from "../../host/probe";
import { containerRoles, type ContainerRole } from "../../settings/platforms";
import type { Settings } from "../../settings/schema";
import { isDesktop, type DaemonInfo } from "./daemon";
import type { Role } from "./inspect";

export interface Size {
  readonly memoryMib: number;
  /** CPUs, such as 1.5. @default all that the daemon has */
  readonly cpus?: number;
  readonly shmMib: number;
  /** The CPUs that all containers of an engine share, such as `0-1`; undefined: all. */
  readonly cpuSet?: string;
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
 * settings of Spark and Ray. An engine gets the same cores on every target: `sparkExecutors`
 * x `sparkWorkerCores` for Spark and what computes in the job itself, `rayCpus` for Ray. Where an
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
  // A driver and its workers get the run's cores together, whatever each container may use.
  const cores = role.startsWith("ray") ? settings.rayCpus : settings.threads;
  return {
    memoryMib: memory === undefined ? usual.memoryMib : mib(memory),
    shmMib: shm === undefined ? usual.shmMib : mib(shm),
    cpus: wantedCpus === undefined ? undefined : Math.min(wantedCpus, cpus),
    ...(role === "minio" || cores >= cpus ? {} : { cpuSet: `0-${cores - 1}` }),
  };
}

function usualSize(role: ContainerRole, settings: Settings): Size {
  const objectStore = mib(settings.rayObjectStoreMemory);
  switch (role) {
    case "minio":
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
      return { memoryMib: mib(settings.runMemory), shmMib: 64, cpus: settings.threads };
  }
}

/** The head runs no tasks: its object store only passes on what drivers hold. */
export const headObjectStoreMib = 256;

/**
 * Containers that do not fit into the daemon's memory by themselves. Together they may be allowed
 * more than there is: engines run one after the other.
 */
export function tooLarge(settings: Settings, daemon: Machine): UserError[] {
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

/** What the machine answered when asked for GPUs; everything that the decision is made from. */
export type GpuAnswers = ReturnType<typeof askForGpus>;

/** Asks; nothing is changed, and nothing waits longer than 10 s. */
export function askForGpus(info: DaemonInfo, facts: GpuFacts) {
  /** Undefined where there is no such program. */
  const cdiList = probe(["nvidia-ctk", "cdi", "list"]);
  /** Whether the toolkit's hook for `--gpus` is installed. */
  const hook = probe(["nvidia-container-cli", "--version"]) !== undefined;
  return { ...facts, info, cdiList, hook };
}

/** What the models run on, and why. */
export type GpuPlan =
  | { readonly device: "cpu"; readonly missing?: Missing }
  | {
      readonly device: "cuda";
      /** How a container is given GPUs. */
      readonly access: "runtime" | "gpus" | "cdi";
      /** Name and memory of each GPU, as the driver says them. */
      readonly gpus: readonly string[];
      readonly notes: readonly string[];
    };

/** Decides from recorded answers; nothing is asked here. */
export function gpuPlan(gpuWorkers: number, answers: GpuAnswers): GpuPlan {
  const gpus = gpusIn(answers);
  const access = accessTo(answers);
  const missing =
    missingGpu(answers) ??
    (access
      ? undefined
      : {
          what: `Docker cannot give ${gpus[0]} to a container (no NVIDIA runtime, no CDI device, no toolkit for --gpus)`,
          fix:
            "install the NVIDIA Container Toolkit and register it: `nvidia-ctk runtime configure --runtime=docker`, " +
            "then restart Docker",
        });
  if (missing || !access) return { device: "cpu", missing };
  const shared = answers.wsl
    ? "WSL2 shares the GPU with Windows: close what uses it, watch `nvidia-smi`, and lower batchSize if memory runs out"
    : undefined;
  const notes = [clampNote(gpuWorkers, gpus.length), shared].filter((note) => note !== undefined);
  return { device: "cuda", access, gpus, notes };
}

/** The first way that works: a registered runtime, devices by name (CDI), or the hook of `--gpus`. */
function accessTo({ info, cdiList, hook }: GpuAnswers) {
  if (info.Runtimes && "nvidia" in info.Runtimes) return "runtime";
  // Docker has it since 25, and there behind a switch that is on since 28.3.
  const listed = isOlder(info.ServerVersion ?? "0", "28.3") ? "" : (cdiList ?? "");
  const devices = [
    ...(info.DiscoveredDevices ?? []).map(({ ID }) => ID ?? ""),
    ...listed.split("\n").map((line) => line.trim()),
  ];
  if (devices.some((device) => device.startsWith("nvidia.com/gpu="))) return "cdi";
  // Docker Desktop has the hook in its own machine, where nobody can look for it.
  return hook || isDesktop(info) ? "gpus" : undefined;
}

/** What a container's arguments need so that it sees the GPUs; nothing on a CPU. */
export interface GpuArgs {
  readonly args: Partial<Pick<docker.ContainerArgs, "runtime" | "gpus" | "deviceRequests">>;
  readonly envs: Readonly<Record<string, string>>;
}

export function gpuArgs(plan: GpuPlan): GpuArgs {
  if (plan.device === "cpu") return { args: {}, envs: {} };
  const envs = {
    // The CUDA images set these too; other base images do not.
    NVIDIA_VISIBLE_DEVICES: "all",
    NVIDIA_DRIVER_CAPABILITIES: "compute,utility",
    // They also ask for the driver of their CUDA (570), and no container would start with an older
    // one. All from 525 on will do: https://docs.nvidia.com/deploy/cuda-compatibility/.
    NVIDIA_DISABLE_REQUIRE: "true",
  };
  if (plan.access === "runtime") return { args: { runtime: "nvidia" }, envs };
  if (plan.access === "gpus") return { args: { gpus: "all" }, envs };
  const deviceRequests = [{ driver: "cdi", deviceIds: ["nvidia.com/gpu=all"] }];
  return { args: { deviceRequests }, envs: {} };
}
