import type * as docker from "@pulumi/docker";
import type { GpuPlan } from "./gpuPlan";

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
