import * as fs from "node:fs";
import * as path from "node:path";
import { checkout } from "../folders";
import type { Settings } from "../settings";
import { UserError } from "../userError";
import { gpusOf } from "./machine/nvidia";

/** What the models run on, and how many GPUs Ray is told of. */
export interface Device {
  readonly device: "cpu" | "cuda";
  readonly gpus: number;
  /** What the user should know about the choice. */
  readonly warning?: string;
}

const cudaLock = "requirements-gpu.lock";

/**
 * Chooses the device.
 *
 * @param gpu the setting
 * @param gpus names of the GPUs that answer; asked for only where it matters
 * @param hasCudaLock whether the Python environment is locked with ONNX Runtime's CUDA provider
 * @throws UserError where a GPU is required and cannot be used
 */
export function chooseDevice(
  gpu: Settings["gpu"],
  gpus: () => readonly string[],
  hasCudaLock: boolean,
): Device {
  const cpu: Device = { device: "cpu", gpus: 0 };
  if (gpu === "off") return cpu;
  const found = gpus();
  if (found.length > 0 && hasCudaLock) return { device: "cuda", gpus: found.length };
  if (gpu === "required") {
    throw new UserError(
      found.length === 0
        ? "gpu is required, but nvidia-smi shows none within 10 s"
        : `gpu is required, but target local has no Python environment for ${found[0]} yet`,
      "the image workloads would run on the CPU",
      "set gpu to auto or off, or run the stack where a GPU can be used",
    );
  }
  return found.length === 0
    ? cpu
    : { ...cpu, warning: `${found[0]} is not used: target local has no CUDA environment yet` };
}

/** The device of this machine. */
export function deviceHere(gpu: Settings["gpu"]): Device {
  const hasCudaLock = fs.existsSync(path.join(checkout, "pipelines", cudaLock));
  return chooseDevice(gpu, gpusOf, hasCudaLock);
}
