import type * as docker from "@pulumi/docker";
import { clampNote, gpusIn, missingGpu, type GpuFacts, type Missing } from "../../host/gpu";
import { probe } from "../../host/probe";
import { isDesktop, type DaemonInfo } from "./daemon";

/** What the machine answered when asked for GPUs; everything that the decision is made from. */
export interface GpuAnswers extends GpuFacts {
  readonly info: DaemonInfo;
  /** Lines of `nvidia-ctk cdi list`; undefined: there is no such program. */
  readonly cdiList: string | undefined;
  /** Whether the toolkit's hook for `--gpus` is installed. */
  readonly hook: boolean;
}

const timeoutMs = 10_000;

/** Asks; nothing is changed, and nothing waits longer than 10 s. */
export function askForGpus(info: DaemonInfo, facts: GpuFacts): GpuAnswers {
  return {
    ...facts,
    info,
    cdiList: probe(["nvidia-ctk", "cdi", "list"], timeoutMs),
    hook: probe(["nvidia-container-cli", "--version"], timeoutMs) !== undefined,
  };
}

/** How a container is given GPUs. */
export type GpuAccess = "runtime" | "gpus" | "cdi";

/** What the models run on, and why. */
export type GpuPlan =
  | { readonly device: "cpu"; readonly missing?: Missing }
  | {
      readonly device: "cuda";
      readonly access: GpuAccess;
      /** Name and memory of each GPU, as the driver says them. */
      readonly gpus: readonly string[];
      readonly notes: readonly string[];
    };

/** Decides from recorded answers; nothing is asked here. */
export function gpuPlan(gpuWorkers: number, answers: GpuAnswers): GpuPlan {
  const gpus = gpusIn(answers);
  const missing = missingGpu(answers);
  const access = accessTo(answers);
  if (missing) return { device: "cpu", missing };
  if (access) return { device: "cuda", access, gpus, notes: notesOn(answers, gpus, gpuWorkers) };
  return {
    device: "cpu",
    missing: {
      what: `Docker cannot give ${gpus[0]} to a container (no NVIDIA runtime, no CDI device, no toolkit for --gpus)`,
      fix:
        "install the NVIDIA Container Toolkit and register it: `nvidia-ctk runtime configure --runtime=docker`, " +
        "then restart Docker",
    },
  };
}

/** The first way that works: a registered runtime, devices by name (CDI), or the hook of `--gpus`. */
function accessTo({ info, cdiList, hook }: GpuAnswers): GpuAccess | undefined {
  if (info.Runtimes && "nvidia" in info.Runtimes) return "runtime";
  const devices = [
    ...(info.DiscoveredDevices ?? []).map(({ ID }) => ID ?? ""),
    ...(supportsCdi(info) ? (cdiList ?? "") : "").split("\n").map((line) => line.trim()),
  ];
  if (devices.some((device) => device.startsWith("nvidia.com/gpu="))) return "cdi";
  // Docker Desktop has the hook in its own machine, where nobody can look for it.
  return hook || isDesktop(info) ? "gpus" : undefined;
}

/** Since Docker 25, and there behind a switch that is on since 28.3. */
function supportsCdi({ ServerVersion }: GpuAnswers["info"]): boolean {
  const [major = 0, minor = 0] = (ServerVersion ?? "").split(".").map(Number);
  return major > 28 || (major === 28 && minor >= 3);
}

function notesOn({ wsl }: GpuAnswers, gpus: readonly string[], gpuWorkers: number): string[] {
  const clamped = clampNote(gpuWorkers, gpus.length);
  const note =
    "WSL2 shares the GPU with Windows: close what uses it, watch `nvidia-smi`, and lower batchSize if memory runs out";
  return [...(clamped ? [clamped] : []), ...(wsl ? [note] : [])];
}

/** What a container's arguments need so that it sees the GPUs; nothing on a CPU. */
export interface GpuArgs {
  readonly args: Partial<Pick<docker.ContainerArgs, "runtime" | "gpus" | "deviceRequests">>;
  readonly envs: Readonly<Record<string, string>>;
}

export function gpuArgs(plan: GpuPlan): GpuArgs {
  if (plan.device === "cpu") return { args: {}, envs: {} };
  // The CUDA images set these too; other base images do not.
  const envs = { NVIDIA_VISIBLE_DEVICES: "all", NVIDIA_DRIVER_CAPABILITIES: "compute,utility" };
  switch (plan.access) {
    case "runtime":
      return { args: { runtime: "nvidia" }, envs };
    case "gpus":
      return { args: { gpus: "all" }, envs };
    case "cdi":
      return {
        args: { deviceRequests: [{ driver: "cdi", deviceIds: ["nvidia.com/gpu=all"] }] },
        envs: {},
      };
  }
}
