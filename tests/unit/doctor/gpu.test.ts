import { expect, it } from "vitest";
import { gpuTrouble, type GpuSeen } from "../../../cli/doctor/gpu";

const linux: GpuSeen = { machine: "linux x64", wsl: false, dxg: false };
const wsl: GpuSeen = { ...linux, wsl: true, dxg: true };
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
const registered = {
  info: { Runtimes: { nvidia: {} }, ServerVersion: "28.2.2" },
  nvidiaSmi: well.text,
  cdiList: undefined,
  hook: false,
};
const bare = { ...registered, info: { Runtimes: {}, ServerVersion: "28.2.2" } };

it.each<[string, GpuSeen, "auto" | "required" | "off", string, string]>([
  ["none, none wanted", linux, "off", "", ""],
  ["none, and any would do", linux, "auto", "", ""],
  ["none, one wanted", linux, "required", "there is no nvidia-smi", "install the NVIDIA driver"],
  ["one that works", { ...linux, smi: well }, "required", "", ""],
  ["a driver that is not loaded", { ...linux, smi: noDriver }, "auto", "communicate", "modprobe"],
  [
    "an upgraded driver",
    { ...linux, smi: mismatch },
    "auto",
    "version mismatch",
    "restart the machine",
  ],
  [
    "a driver inside WSL",
    { ...wsl, smi: noDriver },
    "auto",
    "communicate",
    "driver in Windows and none in WSL",
  ],
  ["WSL without a GPU", { ...wsl, dxg: false }, "required", "no nvidia-smi", "wsl --update"],
  [
    "no device",
    { ...linux, smi: { ok: true, text: "" } },
    "required",
    "nvidia-smi shows none",
    "auto or off",
  ],
  [
    "another processor",
    { ...linux, machine: "linux arm64", smi: well },
    "auto",
    "no CUDA build for linux arm64",
    "off",
  ],
  [
    "full memory",
    { ...linux, smi: full },
    "auto",
    "464 MiB of 24564 MiB free",
    "smaller batchSize",
  ],
  ["Docker with it", { ...linux, smi: well, answers: registered }, "auto", "", ""],
  [
    "Docker without the toolkit",
    { ...linux, smi: well, answers: bare },
    "auto",
    "Docker cannot give",
    "NVIDIA Container Toolkit",
  ],
  [
    "lost in containers",
    { ...linux, smi: well, answers: registered, inside: lost },
    "auto",
    "gone inside the containers",
    "docker restart",
  ],
])("%s", (_, seen, wanted, what, fix) => {
  const errors = gpuTrouble(seen, wanted, "dev");
  expect(errors).toHaveLength(what === "" ? 0 : 1);
  if (what === "") return;
  expect(errors[0].what).toContain(what);
  expect(errors[0].fix).toContain(fix);
  expect(errors[0].why).not.toBe("");
});
