import type * as docker from "@pulumi/docker";
import { UserError } from "../../contracts/errors";
import { askNvidiaSmi, clampNote, gpusIn } from "../../host/gpu";
import { probe } from "../../host/probe";
import type { DaemonInfo } from "./daemon";

/** What the machine answered when asked for GPUs; everything that the decision is made from. */
export interface GpuAnswers {
  readonly info: DaemonInfo;
  /** What `nvidia-smi` lists; undefined: no answer. */
  readonly nvidiaSmi: string | undefined;
  /** Lines of `nvidia-ctk cdi list`; undefined: there is no such program. */
  readonly cdiList: string | undefined;
  /** Whether the toolkit's hook for `--gpus` is installed. */
  readonly hook: boolean;
}

const timeoutMs = 10_000;

/** Asks; nothing is changed, and nothing waits longer than 10 s. */
export function askForGpus(info: DaemonInfo): GpuAnswers {
  return {
    info,
    nvidiaSmi: askNvidiaSmi(),
    cdiList: probe(["nvidia-ctk", "cdi", "list"], timeoutMs),
    hook: probe(["nvidia-container-cli", "--version"], timeoutMs) !== undefined,
  };
}

/** How a container is given GPUs. */
export type GpuAccess = "runtime" | "gpus" | "cdi";

/** What the models run on, and why. */
export type GpuPlan =
  | { readonly device: "cpu"; readonly reason: string; readonly notes: readonly string[] }
  | {
      readonly device: "cuda";
      readonly access: GpuAccess;
      /** Name and memory of each GPU, as the driver says them. */
      readonly gpus: readonly string[];
      readonly notes: readonly string[];
    };

const toolkit =
  "install the NVIDIA Container Toolkit and register it: `nvidia-ctk runtime configure --runtime=docker`, " +
  "then restart Docker";

/**
 * Decides from recorded answers; nothing is asked here.
 *
 * @param wanted `auto` takes what there is, `required` insists, `off` is decided without answers
 * @throws UserError when a GPU is required and something is missing; it says what
 */
export function gpuPlan(
  wanted: "auto" | "required" | "off",
  gpuWorkers: number,
  answers: () => GpuAnswers,
): GpuPlan {
  if (wanted === "off") return { device: "cpu", reason: "gpu is off", notes: [] };
  const found = answers();
  const gpus = gpusIn(found.nvidiaSmi);
  const access = accessTo(found);
  if (gpus.length > 0 && access) {
    return { device: "cuda", access, gpus, notes: notesOn(found, gpus, gpuWorkers) };
  }
  const missing = whatIsMissing(found, gpus);
  if (wanted === "required") {
    throw new UserError(
      `gpu is required, but ${missing.what}`,
      "nothing was made: results of a CPU would stand for those of a GPU",
      `${missing.fix}; or set gpu to auto or off`,
    );
  }
  return { device: "cpu", reason: missing.what, notes: [] };
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
  return hook || isDesktop(info.OperatingSystem) ? "gpus" : undefined;
}

/** Since Docker 25, and there behind a switch that is on since 28.3. */
function supportsCdi({ ServerVersion }: GpuAnswers["info"]): boolean {
  const [major = 0, minor = 0] = (ServerVersion ?? "").split(".").map(Number);
  return major > 28 || (major === 28 && minor >= 3);
}

function isDesktop(system: string | undefined): boolean {
  return system === "Docker Desktop";
}

function isWsl(kernel: string | undefined): boolean {
  return /microsoft/i.test(kernel ?? "");
}

function whatIsMissing({ info, nvidiaSmi }: GpuAnswers, gpus: readonly string[]) {
  if (nvidiaSmi === undefined) {
    const registered = info.Runtimes && "nvidia" in info.Runtimes;
    return {
      what: `nvidia-smi does not answer on this machine${registered ? ", although Docker has the NVIDIA runtime" : ""}`,
      fix: isWsl(info.KernelVersion)
        ? "install the NVIDIA driver in Windows (not in WSL), then `wsl --shutdown`"
        : "install the NVIDIA driver and see that `nvidia-smi` lists the GPU",
    };
  }
  if (gpus.length === 0) {
    return { what: "nvidia-smi lists no GPU", fix: "see why the driver does not show it" };
  }
  return {
    what: `Docker cannot give ${gpus[0]} to a container (no NVIDIA runtime, no CDI device, no toolkit for --gpus)`,
    fix: toolkit,
  };
}

function notesOn({ info }: GpuAnswers, gpus: readonly string[], gpuWorkers: number): string[] {
  const clamped = clampNote(gpuWorkers, gpus.length);
  const notes = clamped ? [clamped] : [];
  if (isWsl(info.KernelVersion)) {
    notes.push(
      "WSL2 shares the GPU with Windows: close what uses it, watch `nvidia-smi`, and lower batchSize if memory runs out",
    );
  }
  return notes;
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
