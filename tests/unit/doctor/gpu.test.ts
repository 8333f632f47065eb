import { describe, expect, it } from "vitest";
import { busyGpu, chooseDevice, gpusIn, unusableGpu, type GpuFacts } from "../../../infra/host/gpu";
import { gpuPlan } from "../../../infra/targets/docker/resources";
import { problems } from "./problems";

const linux: GpuFacts = { machine: "linux x64", wsl: false, dxg: false };
const wsl: GpuFacts = { ...linux, wsl: true, dxg: true };
const well = { ok: true, text: "NVIDIA GeForce RTX 4090, 24564 MiB, 1204 MiB\n" };
const noDriver = {
  ok: false,
  text:
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. " +
    "Make sure that the latest NVIDIA driver is installed and running.\n",
};
const mismatch = {
  ok: false,
  text: "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 560.35\n",
};
const lost = { ok: false, text: "Failed to initialize NVML: Unknown Error\n" };
const full = { ok: true, text: "NVIDIA GeForce RTX 4090, 24564 MiB, 24100 MiB\n" };
const none = { ok: true, text: "\n" };

describe("a GPU that cannot be used", () => {
  it.each<[string, GpuFacts, "auto" | "required" | "off", string, string]>([
    ["none, none wanted", linux, "off", "", ""],
    ["none, and any would do", linux, "auto", "", ""],
    ["no device, and any would do", { ...linux, smi: none }, "auto", "", ""],
    ["none, one required", linux, "required", "there is no nvidia-smi", "install the NVIDIA"],
    ["one that works", { ...linux, smi: well }, "required", "", ""],
    ["a driver that is not loaded", { ...linux, smi: noDriver }, "auto", "communicate", "modprobe"],
    ["an upgraded driver", { ...linux, smi: mismatch }, "auto", "version mismatch", "restart the"],
    ["a driver in WSL", { ...wsl, smi: noDriver }, "auto", "communicate", "and none in WSL"],
    ["WSL without a GPU", { ...wsl, dxg: false }, "required", "no nvidia-smi", "wsl --update"],
    ["no device", { ...linux, smi: none }, "required", "nvidia-smi lists no GPU", "auto or off"],
    [
      "another processor",
      { ...linux, machine: "linux arm64", smi: well },
      "auto",
      "no CUDA build for linux arm64",
      "off",
    ],
  ])("%s", (_, facts, wanted, what, fix) => {
    const errors = unusableGpu(wanted, facts, chooseDevice(facts).missing);
    expect(errors).toHaveLength(what === "" ? 0 : 1);
    if (what === "") return;
    expect(errors[0].what).toMatch(new RegExp(`^gpu is ${wanted}, but .*${what}`));
    expect(errors[0].why).toContain(wanted === "required" ? "would run" : "marked cpu");
    expect(errors[0].fix).toContain(fix);
  });

  it("is one that Docker cannot give to a container", () => {
    const info = { Runtimes: {}, ServerVersion: "28.2.2" };
    const facts = { ...linux, smi: well, info, cdiList: undefined, hook: false };
    const plan = gpuPlan(1, facts);
    const [error] = unusableGpu("auto", facts, plan.device === "cpu" ? plan.missing : undefined);
    expect(error.what).toContain("Docker cannot give NVIDIA GeForce RTX 4090, 24564 MiB");
    expect(error.fix).toContain("NVIDIA Container Toolkit");
  });
});

it.each([
  ["well", well, { ok: true, text: "GPU 0" }, ""],
  ["a full one", full, undefined, "464 MiB of 24564 MiB free"],
  ["one that containers have lost", well, lost, "containers do not see the GPU any more"],
  ["none", undefined, undefined, ""],
])("a GPU in use: %s", (_, smi, inside, words) => {
  const said = problems(busyGpu(smi, inside, "dev"));
  if (words === "") expect(said).toBe("");
  else expect(said).toContain(words);
});

describe("the device of processes", () => {
  const two = { ok: true, text: well.text + well.text };

  it.each<[string, GpuFacts, object]>([
    ["the CPU without a GPU", linux, { device: "cpu", gpus: 0 }],
    ["the GPUs", { ...linux, smi: two }, { device: "cuda", gpus: 2 }],
    ...(
      [
        ["the GPU that CUDA_VISIBLE_DEVICES shows", "1", { device: "cuda", gpus: 1 }],
        ["those before the first one that is none", "1,0,7,0", { device: "cuda", gpus: 2 }],
        ["one that is named by its id", "GPU-5ebe9f43", { device: "cuda", gpus: 1 }],
        ["one instance of MIG, however many are named", "MIG-1,MIG-2", { device: "cuda", gpus: 1 }],
        ["the CPU where CUDA_VISIBLE_DEVICES shows none", "", { device: "cpu", gpus: 0 }],
        ["the CPU where it hides all", "-1", { device: "cpu", gpus: 0 }],
      ] as const
    ).map(
      ([name, visible, device]) =>
        [name, { ...linux, visible, smi: two }, device] as [string, GpuFacts, object],
    ),
    ["the CPU with a driver that fails", { ...linux, smi: mismatch }, { device: "cpu", gpus: 0 }],
    [
      "the CPU where there is no build with CUDA",
      { ...linux, machine: "linux arm64", smi: well },
      { device: "cpu", gpus: 0 },
    ],
  ])("is %s", (_, facts, device) => {
    expect(chooseDevice(facts)).toMatchObject(device);
  });

  it("is known from what nvidia-smi prints", () => {
    expect(gpusIn({ smi: well })).toEqual(["NVIDIA GeForce RTX 4090, 24564 MiB"]);
    expect(gpusIn({ smi: none })).toEqual([]);
    expect(gpusIn({ smi: lost })).toEqual([]);
  });
});
