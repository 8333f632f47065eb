import { describe, expect, it } from "vitest";
import type { GpuAnswers } from "../../../infra/targets/docker/gpu";
import { gpuArgs } from "../../../infra/targets/docker/gpu";
import { gpuPlan } from "../../../infra/targets/docker/gpu";
import { UserError } from "../../../infra/contracts/errors";

const runtimes = { runc: {}, "io.containerd.runc.v2": {} };

/** Answers as machines give them. */
const recorded: Record<string, GpuAnswers> = {
  none: {
    info: { ServerVersion: "20.10.24+dfsg1", KernelVersion: "6.1.0-18-amd64", Runtimes: runtimes },
    nvidiaSmi: undefined,
    cdiList: undefined,
    hook: false,
  },
  one: {
    info: {
      ServerVersion: "27.5.1",
      KernelVersion: "6.8.0-51-generic",
      Runtimes: { ...runtimes, nvidia: { path: "nvidia-container-runtime" } },
    },
    nvidiaSmi: "NVIDIA GeForce RTX 4090, 24564 MiB\n",
    cdiList: "",
    hook: true,
  },
  several: {
    info: { ServerVersion: "27.5.1", Runtimes: { ...runtimes, nvidia: {} } },
    nvidiaSmi: "NVIDIA L4, 23034 MiB\nNVIDIA L4, 23034 MiB\n",
    cdiList: undefined,
    hook: true,
  },
  wsl2: {
    info: {
      ServerVersion: "28.1.1",
      OperatingSystem: "Docker Desktop",
      KernelVersion: "5.15.167.4-microsoft-standard-WSL2",
      Runtimes: runtimes,
    },
    nvidiaSmi: "NVIDIA GeForce RTX 3080, 10240 MiB\n",
    cdiList: undefined,
    hook: false,
  },
  "wsl2 without a driver": {
    info: {
      ServerVersion: "28.1.1",
      OperatingSystem: "Docker Desktop",
      KernelVersion: "5.15.167.4-microsoft-standard-WSL2",
      Runtimes: { ...runtimes, nvidia: {} },
    },
    nvidiaSmi: undefined,
    cdiList: undefined,
    hook: false,
  },
  "cdi only": {
    info: {
      ServerVersion: "28.3.0",
      Runtimes: runtimes,
      DiscoveredDevices: [
        { Source: "cdi", ID: "nvidia.com/gpu=0" },
        { Source: "cdi", ID: "nvidia.com/gpu=all" },
      ],
    },
    nvidiaSmi: "NVIDIA A10, 23028 MiB\n",
    cdiList: "nvidia.com/gpu=0\nnvidia.com/gpu=all\n",
    hook: false,
  },
  "cdi that the daemon is too old for": {
    info: { ServerVersion: "24.0.7", Runtimes: runtimes },
    nvidiaSmi: "NVIDIA A10, 23028 MiB\n",
    cdiList: "nvidia.com/gpu=0\nnvidia.com/gpu=all\n",
    hook: false,
  },
  "toolkit missing": {
    info: { ServerVersion: "27.5.1", Runtimes: runtimes, DiscoveredDevices: null },
    nvidiaSmi: "NVIDIA GeForce RTX 4090, 24564 MiB\n",
    cdiList: undefined,
    hook: false,
  },
  "toolkit not registered": {
    info: { ServerVersion: "27.5.1", Runtimes: runtimes },
    nvidiaSmi: "NVIDIA GeForce RTX 4090, 24564 MiB\n",
    cdiList: undefined,
    hook: true,
  },
  "no GPU left": {
    info: { ServerVersion: "27.5.1", Runtimes: { ...runtimes, nvidia: {} } },
    nvidiaSmi: "\n",
    cdiList: undefined,
    hook: true,
  },
};

const plan = (name: string, gpu: "auto" | "required" = "auto", workers = 1) =>
  gpuPlan(gpu, workers, () => recorded[name]);

describe("the device", () => {
  it.each([
    ["one", "runtime", 1],
    ["several", "runtime", 2],
    ["wsl2", "gpus", 1],
    ["cdi only", "cdi", 1],
    ["toolkit not registered", "gpus", 1],
  ])("is a GPU: %s, by %s", (name, access, gpus) => {
    for (const wanted of ["auto", "required"] as const) {
      const found = plan(name, wanted);
      expect(found).toMatchObject({ device: "cuda", access });
      expect(found.device === "cuda" && found.gpus).toHaveLength(gpus);
    }
  });

  it.each([
    ["none", "nvidia-smi does not answer on this machine", "install the NVIDIA driver and see"],
    ["wsl2 without a driver", "although Docker has the NVIDIA runtime", "in Windows (not in WSL)"],
    [
      "cdi that the daemon is too old for",
      "Docker cannot give NVIDIA A10",
      "nvidia-ctk runtime configure",
    ],
    ["toolkit missing", "no NVIDIA runtime, no CDI device", "install the NVIDIA Container Toolkit"],
    ["no GPU left", "nvidia-smi lists no GPU", "the driver does not show it"],
  ])("is the CPU: %s; required, that is refused with what is missing", (name, reason, fix) => {
    const found = plan(name);
    expect(found.device).toBe("cpu");
    expect(found.device === "cpu" && found.reason).toContain(reason);
    const refused = () => plan(name, "required");
    expect(refused).toThrow(UserError);
    expect(refused).toThrow(/^gpu is required, but /);
    expect(refused).toThrow(reason);
    expect(refused).toThrow(fix);
  });

  it("is the CPU without a question when gpu is off", () => {
    const asked = () => {
      throw new Error("asked");
    };
    expect(gpuPlan("off", 1, asked)).toEqual({ device: "cpu", reason: "gpu is off", notes: [] });
  });

  it("says so when more workers than GPUs are to hold one", () => {
    expect(plan("one", "auto", 1).notes).toEqual([]);
    expect(plan("several", "auto", 2).notes).toEqual([]);
    expect(plan("one", "auto", 2).notes).toEqual([
      "gpuWorkers is 2, but there is 1 GPU: 1 is used",
    ]);
    expect(plan("several", "auto", 3).notes).toEqual([
      "gpuWorkers is 3, but there are 2 GPUs: 2 are used",
    ]);
  });

  it("says what is different in WSL2", () => {
    expect(plan("wsl2").notes.join()).toContain("shares the GPU with Windows");
  });
});

describe("what a container is given", () => {
  it("is nothing on a CPU", () => {
    expect(gpuArgs(plan("none"))).toEqual({ args: {}, envs: {} });
  });

  it("follows the way in", () => {
    expect(gpuArgs(plan("one")).args).toEqual({ runtime: "nvidia" });
    expect(gpuArgs(plan("wsl2")).args).toEqual({ gpus: "all" });
    expect(gpuArgs(plan("cdi only")).args).toEqual({
      deviceRequests: [{ driver: "cdi", deviceIds: ["nvidia.com/gpu=all"] }],
    });
    expect(gpuArgs(plan("one")).envs).toEqual({
      NVIDIA_VISIBLE_DEVICES: "all",
      NVIDIA_DRIVER_CAPABILITIES: "compute,utility",
    });
  });
});
