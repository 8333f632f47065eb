import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { npm, UserError, wrong } from "../contracts/errors";
import type { DeviceName } from "../contracts/platform";
import type { Settings } from "../settings/schema";
import { toolEnvironment } from "./environment";
import { check, type StackContext } from "./checks";
import { isWsl, kernelVersion } from "./platform";

/** What `nvidia-smi` said; where it works, a line of name, total and used memory for each GPU. */
export interface Smi {
  readonly ok: boolean;
  readonly text: string;
}

export interface GpuFacts {
  /** Undefined where there is no `nvidia-smi`. */
  readonly smi?: Smi;
  /** System and processor, e.g. `linux x64`. */
  readonly machine: string;
  readonly wsl: boolean;
  /** Whether WSL2 passes a GPU on: /dev/dxg. */
  readonly dxg: boolean;
  /** What CUDA_VISIBLE_DEVICES says, where it is set: CUDA shows a process these alone. */
  readonly visible?: string;
}

export interface Missing {
  readonly what: string;
  readonly fix: string;
}

/** What the models run on, and how many GPUs Ray gets. */
export interface Device {
  readonly device: DeviceName;
  readonly gpus: number;
  /** Why it is not a GPU; undefined also where none is wanted. */
  readonly missing?: Missing;
}

const timeout = 10_000;

/** WSL2 keeps the driver's programs in a folder that is not on everybody's PATH. */
const wslSmi = "/usr/lib/wsl/lib/nvidia-smi";

/** Asks for this machine's GPUs; nothing waits longer than 10 s. */
export function gpuFacts(): GpuFacts {
  const first = askSmi("nvidia-smi");
  return {
    smi: first?.ok ? first : (askSmi(wslSmi) ?? first),
    machine: `${process.platform} ${process.arch}`,
    wsl: isWsl(kernelVersion()),
    dxg: fs.existsSync("/dev/dxg"),
    visible: process.env.CUDA_VISIBLE_DEVICES,
  };
}

/** What a program says, its errors included; undefined where it is missing. */
function askSmi(program: string): Smi | undefined {
  const args = ["--query-gpu=name,memory.total,memory.used", "--format=csv,noheader"];
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    timeout,
    env: toolEnvironment("system"),
  });
  const failure: NodeJS.ErrnoException | undefined = error;
  if (failure?.code === "ENOENT") return undefined;
  if (error) return { ok: false, text: `no answer within ${timeout / 1000} s` };
  return { ok: status === 0, text: status === 0 ? stdout : stdout + stderr };
}

/** Name and memory of each GPU, e.g. `NVIDIA GeForce RTX 4090, 24564 MiB`. */
export function gpusIn({ smi }: Pick<GpuFacts, "smi">): string[] {
  if (!smi?.ok) return [];
  const rows = smi.text.split("\n").map((line) => line.split(",").map((field) => field.trim()));
  return rows.filter(([name]) => name).map((fields) => fields.slice(0, 2).join(", "));
}

/** What is missing on this machine, whatever the GPU is given to. */
export function missingGpu(facts: GpuFacts): Missing | undefined {
  const { smi } = facts;
  if (!smi) return { what: "there is no nvidia-smi", fix: driverFix(facts) };
  if (!smi.ok) return { what: `nvidia-smi fails: ${firstLine(smi.text)}`, fix: driverFix(facts) };
  if (gpusIn(facts).length > 0) return undefined;
  return { what: "nvidia-smi lists no GPU", fix: "see why the driver does not show it" };
}

function driverFix({ smi, wsl, dxg }: GpuFacts): string {
  if (wsl && !dxg) {
    return "run wsl --update and wsl --shutdown in Windows, and remove gpuSupport=false from .wslconfig: WSL passes no GPU on (/dev/dxg is missing)";
  }
  if (wsl) {
    return "install the NVIDIA driver in Windows and none in WSL (apt-get remove 'nvidia-*' there), then wsl --shutdown";
  }
  const said = smi?.text ?? "";
  if (/version mismatch/i.test(said)) {
    return "restart the machine: the driver was upgraded, and the kernel still has the old one";
  }
  if (/communicate with the NVIDIA driver/i.test(said)) {
    return "load the driver (sudo modprobe nvidia), or install it again: after a new kernel, or with Secure Boot, its module may be missing";
  }
  return "install the NVIDIA driver and see that nvidia-smi lists the GPU";
}

/** The kind of machine that ONNX Runtime with CUDA is built for, as Node says it. */
const cudaMachine = "linux x64";

/** Chooses the device of processes on this machine: a GPU unless something is missing for it. */
export function chooseDevice(facts: GpuFacts): Device {
  const gpus = gpusIn(facts);
  const shown = shownGpus(gpus.length, facts.visible);
  const hidden = {
    what: `CUDA_VISIBLE_DEVICES is ${JSON.stringify(facts.visible)}, which shows no GPU`,
    fix: "unset it, or name GPUs that nvidia-smi lists",
  };
  const missing =
    missingGpu(facts) ??
    (shown === 0 ? hidden : undefined) ??
    (facts.machine === cudaMachine
      ? undefined
      : {
          what: `ONNX Runtime has no CUDA build for ${facts.machine}, so that ${gpus[0]} is not used`,
          fix: "run the stack on Linux x86-64",
        });
  return missing ? { device: "cpu", gpus: 0, missing } : { device: "cuda", gpus: shown };
}

/** How many GPUs CUDA shows: those that the variable names, up to the first that does not exist. */
function shownGpus(gpus: number, visible?: string): number {
  if (visible === undefined) return gpus;
  const named = visible.split(",").map((one) => one.trim());
  const wrong = named.findIndex((one) =>
    /^\d+$/.test(one) ? Number(one) >= gpus : !/^(GPU|MIG)-/.test(one),
  );
  const shown = wrong < 0 ? named : named.slice(0, wrong);
  // Of instances of MIG, CUDA shows a process one, however many are named.
  return shown.some((one) => one.startsWith("MIG-")) ? 1 : shown.length;
}

/** The device of this machine; nothing is asked where no GPU is wanted. */
export function deviceHere(context: StackContext): Device {
  return context.settings.gpu === "off"
    ? { device: "cpu", gpus: 0 }
    : chooseDevice(context.facts(gpuFacts));
}

/** Where none is required, a machine without a GPU is in order; one whose GPU is not used is not. */
export function unusableGpu(
  wanted: Settings["gpu"],
  { smi }: GpuFacts,
  missing: Missing | undefined,
): UserError[] {
  const hasNone = !smi || (smi.ok && gpusIn({ smi }).length === 0);
  if (!missing || wanted === "off" || (hasNone && wanted === "auto")) return [];
  return wrong(
    `gpu is ${wanted}, but ${missing.what}`,
    wanted === "required"
      ? "the image workloads would run on the CPU"
      : "the image workloads run on the CPU, and results are marked cpu",
    `${missing.fix}; or set gpu to ${wanted === "required" ? "auto or off" : "off"}`,
  );
}

/** @param missing what is missing for those that use the GPU on the target */
export const gpuCheck = (missing: (context: StackContext) => Missing | undefined) =>
  check({
    id: "gpu",
    name: "the GPU that the settings ask for can be used",
    blocks: ({ settings }) => settings.gpu === "required",
    applies: wantsGpu,
    after: ["docker"],
    observe: (context) => ({ gpu: context.facts(gpuFacts), missing: missing(context) }),
    judge: ({ gpu, missing }, { settings }) => unusableGpu(settings.gpu, gpu, missing),
  });

const wantsGpu = ({ settings }: StackContext) => settings.gpu !== "off";

/** A session of the model with a batch, and what CUDA itself takes, in MiB. */
const minFree = 1024;

/** @param inside what `nvidia-smi` says in a container that has GPUs */
export function busyGpu(smi: Smi | undefined, inside: Smi | undefined, stack: string): UserError[] {
  const full = (smi?.ok ? smi.text : "").split("\n").flatMap((line) => {
    const [name, total = "", used = ""] = line.split(",").map((field) => field.trim());
    const free = parseFloat(total) - parseFloat(used);
    if (!(free < minFree)) return [];
    return wrong(
      `${name} has ${free} MiB of ${parseFloat(total)} MiB free`,
      "models run out of memory (CUDA_ERROR_OUT_OF_MEMORY)",
      "close what uses it (nvidia-smi lists it; on WSL2 also programs of Windows), or set a smaller batchSize",
    );
  });
  if (!inside || inside.ok) return full;
  const lost = wrong(
    `containers do not see the GPU any more: ${firstLine(inside.text)}`,
    "a systemctl daemon-reload, or an upgrade of the driver, took it from running containers",
    `docker restart the stack's containers, or ${npm(stack, "destroy")} and ${npm(stack, "start")}`,
  );
  return [...full, ...lost];
}

/** @param inside asks in a container */
export const gpuMemoryCheck = (inside: (context: StackContext) => Smi | undefined) =>
  check({
    id: "gpu-memory",
    name: "the GPUs have free memory, and containers still see them",
    blocks: false,
    applies: wantsGpu,
    after: ["docker", "gpu"],
    observe: (context) => ({ smi: context.facts(gpuFacts).smi, inside: inside(context) }),
    judge: ({ smi, inside }, { stack }) => busyGpu(smi, inside, stack),
  });

function firstLine(text: string): string {
  return text.trim().split("\n")[0] || "it says nothing";
}

/** What to print where more workers are wanted than there are GPUs, each of which takes one. */
export function clampNote(gpuWorkers: number, gpus: number): string | undefined {
  if (gpus === 0 || gpuWorkers <= gpus) return undefined;
  const there = gpus === 1 ? "is 1 GPU: 1 is" : `are ${gpus} GPUs: ${gpus} are`;
  return `gpuWorkers is ${gpuWorkers}, but there ${there} used`;
}
