import { describe, expect, it } from "vitest";
import { gpuArgs } from "../../../infra/targets/docker/resources";
import { gpuPlan, type GpuAnswers } from "../../../infra/targets/docker/resources";

const runtimes = { runc: {}, "io.containerd.runc.v2": {} };

const linux = { machine: "linux x64", wsl: false, dxg: false };
const smi = (text: string) => ({ ok: true, text });

/** Answers as machines give them. */
const recorded: Record<string, GpuAnswers> = {
  none: {
    info: { ServerVersion: "20.10.24+dfsg1", Runtimes: runtimes },
    ...linux,
    cdiList: undefined,
    hook: false,
  },
  one: {
    info: {
      ServerVersion: "27.5.1",

      Runtimes: { ...runtimes, nvidia: { path: "nvidia-container-runtime" } },
    },
    ...linux,
    smi: smi("NVIDIA GeForce RTX 4090, 24564 MiB\n"),
    cdiList: "",
    hook: true,
  },
  several: {
    info: { ServerVersion: "27.5.1", Runtimes: { ...runtimes, nvidia: {} } },
    ...linux,
    smi: smi("NVIDIA L4, 23034 MiB\nNVIDIA L4, 23034 MiB\n"),
    cdiList: undefined,
    hook: true,
  },
  wsl2: {
    info: {
      ServerVersion: "28.1.1",
      OperatingSystem: "Docker Desktop",

      Runtimes: runtimes,
    },
    ...linux,
    wsl: true,
    dxg: true,
    smi: smi("NVIDIA GeForce RTX 3080, 10240 MiB\n"),
    cdiList: undefined,
    hook: false,
  },
  "wsl2 without a driver": {
    info: {
      ServerVersion: "28.1.1",
      OperatingSystem: "Docker Desktop",

      Runtimes: { ...runtimes, nvidia: {} },
    },
    ...linux,
    wsl: true,
    dxg: true,
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
    ...linux,
    smi: smi("NVIDIA A10, 23028 MiB\n"),
    cdiList: "nvidia.com/gpu=0\nnvidia.com/gpu=all\n",
    hook: false,
  },
  "cdi that the daemon is too old for": {
    info: { ServerVersion: "24.0.7", Runtimes: runtimes },
    ...linux,
    smi: smi("NVIDIA A10, 23028 MiB\n"),
    cdiList: "nvidia.com/gpu=0\nnvidia.com/gpu=all\n",
    hook: false,
  },
  "toolkit missing": {
    info: { ServerVersion: "27.5.1", Runtimes: runtimes, DiscoveredDevices: null },
    ...linux,
    smi: smi("NVIDIA GeForce RTX 4090, 24564 MiB\n"),
    cdiList: undefined,
    hook: false,
  },
  "toolkit not registered": {
    info: { ServerVersion: "27.5.1", Runtimes: runtimes },
    ...linux,
    smi: smi("NVIDIA GeForce RTX 4090, 24564 MiB\n"),
    cdiList: undefined,
    hook: true,
  },
  "no GPU left": {
    info: { ServerVersion: "27.5.1", Runtimes: { ...runtimes, nvidia: {} } },
    ...linux,
    smi: smi("\n"),
    cdiList: undefined,
    hook: true,
  },
};

const plan = (name: string, workers = 1) => gpuPlan(workers, recorded[name]);

describe("the device", () => {
  it.each([
    ["one", "runtime", 1],
    ["several", "runtime", 2],
    ["wsl2", "gpus", 1],
    ["cdi only", "cdi", 1],
    ["toolkit not registered", "gpus", 1],
  ])("is a GPU: %s, by %s", (name, access, gpus) => {
    const found = plan(name);
    expect(found).toMatchObject({ device: "cuda", access });
    expect(found.device === "cuda" && found.gpus).toHaveLength(gpus);
  });

  it.each([
    ["none", "there is no nvidia-smi", "install the NVIDIA driver and see"],
    ["wsl2 without a driver", "there is no nvidia-smi", "in Windows and none in WSL"],
    [
      "cdi that the daemon is too old for",
      "Docker cannot give NVIDIA A10",
      "nvidia-ctk runtime configure",
    ],
    ["toolkit missing", "no NVIDIA runtime, no CDI device", "install the NVIDIA Container Toolkit"],
    ["no GPU left", "nvidia-smi lists no GPU", "the driver does not show it"],
  ])("is the CPU: %s, with what is missing", (name, what, fix) => {
    const found = plan(name);
    expect(found.device).toBe("cpu");
    if (found.device !== "cpu") return;
    expect(found.missing?.what).toContain(what);
    expect(found.missing?.fix).toContain(fix);
  });

  it("says so when more workers than GPUs are to hold one", () => {
    expect(plan("one", 1)).toMatchObject({ notes: [] });
    expect(plan("several", 2)).toMatchObject({ notes: [] });
    expect(plan("one", 2)).toMatchObject({
      notes: ["gpuWorkers is 2, but there is 1 GPU: 1 is used"],
    });
    expect(plan("several", 3)).toMatchObject({
      notes: ["gpuWorkers is 3, but there are 2 GPUs: 2 are used"],
    });
  });

  it("says what is different in WSL2", () => {
    expect(JSON.stringify(plan("wsl2"))).toContain("shares the GPU with Windows");
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
      NVIDIA_DISABLE_REQUIRE: "true",
    });
  });
});
