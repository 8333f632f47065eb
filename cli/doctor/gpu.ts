import { spawnSync } from "node:child_process";
import { plainEnvironment } from "../../infra/host/environment";
import * as fs from "node:fs";
import { askForGpus, type GpuAnswers } from "../../infra/targets/docker/gpu";
import { gpuPlan } from "../../infra/targets/docker/gpu";
import { chooseDevice } from "../../infra/host/device";
import { gpusIn, wslSmi } from "../../infra/host/gpu";
import type { Settings } from "../../infra/settings/schema";
import { UserError } from "../../infra/contracts/errors";
import { check, errorsOf, isDocker, npm, startsEngines, type Check, type Patient } from "./check";
import { surroundings } from "./containers";
import { readOr } from "./places";
import { isWsl } from "./wsl";

/** What `nvidia-smi` said; a line of name, total and used memory for each GPU where it is well. */
export interface Smi {
  readonly ok: boolean;
  readonly text: string;
}

/** What is known of GPUs. */
export interface GpuSeen {
  /** Undefined where there is no `nvidia-smi`. */
  readonly smi?: Smi;
  /** System and processor, e.g. `linux x64`. */
  readonly machine: string;
  readonly wsl: boolean;
  /** Whether WSL2 passes a GPU on: /dev/dxg. */
  readonly dxg: boolean;
  /** Target docker: what the daemon and its tools say. */
  readonly answers?: GpuAnswers;
  /** What `nvidia-smi` says in a container that has GPUs; undefined where none has. */
  readonly inside?: Smi;
}

const onCpu = "the stack's models run on the CPU, and results are marked cpu";

/** @param wanted the setting `gpu` */
export function gpuTrouble(seen: GpuSeen, wanted: Settings["gpu"], stack: string): UserError[] {
  if (wanted === "off") return [];
  const { smi, answers, machine } = seen;
  if (!smi?.ok) return smi || wanted === "required" ? [noAnswer(seen, wanted)] : [];
  const gpus = gpusIn(smi.text);
  if (gpus.length === 0 && wanted !== "required") return [];
  const unusable = errorsOf(() =>
    answers
      ? gpuPlan("required", gpus.length, () => answers)
      : chooseDevice("required", () => gpus, machine),
  );
  if (unusable.length > 0) return unusable.map((error) => explained(error, wanted));
  return [...fullMemory(gpus), ...lostInside(seen.inside, stack)];
}

function noAnswer({ smi, wsl, dxg }: GpuSeen, wanted: Settings["gpu"]): UserError {
  const said = smi ? `nvidia-smi fails: ${firstLine(smi.text)}` : "there is no nvidia-smi";
  return explained(
    new UserError(
      `gpu is ${wanted}, and ${said}`,
      "No GPUs detected",
      `${cure(smi?.text ?? "", wsl, dxg)}; or set gpu to off`,
    ),
    wanted,
  );
}

function cure(said: string, wsl: boolean, dxg: boolean): string {
  if (wsl && !dxg) {
    return "run wsl --update and wsl --shutdown in Windows, and take gpuSupport=false out of .wslconfig: WSL passes no GPU on (/dev/dxg is missing)";
  }
  if (wsl) {
    return "install the NVIDIA driver in Windows and none in WSL (apt-get remove 'nvidia-*' there), then wsl --shutdown";
  }
  if (/version mismatch/i.test(said)) {
    return "restart the machine: the driver was upgraded, and the kernel still has the old one";
  }
  if (/communicate with the NVIDIA driver/i.test(said)) {
    return "load the driver (sudo modprobe nvidia), or install it again: after a new kernel, or with Secure Boot, its module may be missing";
  }
  return "install the NVIDIA driver and see that nvidia-smi lists the GPU";
}

function explained({ what, fix }: UserError, wanted: Settings["gpu"]): UserError {
  return new UserError(what, wanted === "required" ? "npm start refuses to begin" : onCpu, fix);
}

/** A session of the model with a batch, and what CUDA itself takes. */
const leastFree = 1024;

function fullMemory(gpus: readonly string[]): UserError[] {
  return gpus.flatMap((line) => {
    const [name, total, used] = line.split(",").map((field) => field.trim());
    const free = parseFloat(total) - parseFloat(used);
    if (!(free < leastFree)) return [];
    return [
      new UserError(
        `${name} has ${free} MiB of ${parseFloat(total)} MiB free`,
        "models end out of memory (CUDA_ERROR_OUT_OF_MEMORY)",
        "close what uses it (nvidia-smi lists it; on WSL2 also programs of Windows), or set a smaller batchSize",
      ),
    ];
  });
}

function lostInside(inside: Smi | undefined, stack: string): UserError[] {
  if (!inside || inside.ok) return [];
  return [
    new UserError(
      `the GPU is gone inside the containers: ${firstLine(inside.text)}`,
      "a systemctl daemon-reload, or an upgrade of the driver, took it from containers that run",
      `docker restart the stack's containers, or ${npm(stack, "destroy")} and ${npm(stack, "start")}`,
    ),
  ];
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0] || "it says nothing";
}

const query = ["--query-gpu=name,memory.total,memory.used", "--format=csv,noheader"];
const timeout = 10_000;

/** What a program says, its errors included; undefined where it is missing. */
function smiBy(program: string, args: readonly string[]): Smi | undefined {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    timeout,
    env: plainEnvironment(),
  });
  const missing: NodeJS.ErrnoException | undefined = error;
  if (missing?.code === "ENOENT") return undefined;
  if (error) return { ok: false, text: `no answer within ${timeout / 1000} s` };
  return { ok: status === 0, text: status === 0 ? stdout : stdout + stderr };
}

function observeGpus(patient: Patient): GpuSeen {
  const { settings, stack } = patient;
  const machine = `${process.platform} ${process.arch}`;
  const wsl = isWsl(readOr("/proc/version") ?? "");
  const dxg = fs.existsSync("/dev/dxg");
  if (settings.gpu === "off") return { machine, wsl, dxg };
  const first = smiBy("nvidia-smi", query);
  const smi = first?.ok ? first : (smiBy(wslSmi, query) ?? first);
  const seen = { smi, machine, wsl, dxg };
  if (!isDocker(patient)) return seen;
  const { docker, info, inspected } = surroundings(stack);
  const worker = inspected.find(
    ({ role, running, gpu }) => role === "ray-worker" && running && gpu,
  );
  const inside = worker && docker.both(["exec", worker.name, "nvidia-smi", "--list-gpus"], timeout);
  return { ...seen, answers: askForGpus(info), inside };
}

export const gpuChecks: readonly Check[] = [
  check({
    id: "gpu",
    name: "the GPU that the settings ask for can be used",
    applies: startsEngines, // on clusters models run on CPUs
    after: ["docker"],
    observe: observeGpus,
    judge: (seen, { settings, stack }) => gpuTrouble(seen, settings.gpu, stack),
  }),
];
