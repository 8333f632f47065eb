import type { DeviceName } from "../contracts/platform";
import { askNvidiaSmi, gpusIn } from "./gpu";
import type { Settings } from "../settings/schema";
import { UserError } from "../contracts/errors";

/** What the models run on, and how many GPUs Ray is told of. */
export interface Device {
  readonly device: DeviceName;
  readonly gpus: number;
  /** What the user should know about the choice. */
  readonly warning?: string;
}

/** The kind of machine that ONNX Runtime with CUDA is built for, as Node says it. */
const cudaMachine = "linux x64";

/**
 * Chooses the device.
 *
 * @param gpu the setting
 * @param gpus the GPUs that answer; asked for only where it matters
 * @param machine system and processor, e.g. `linux x64`
 * @throws UserError where a GPU is required and cannot be used
 */
export function chooseDevice(
  gpu: Settings["gpu"],
  gpus: () => readonly string[],
  machine: string,
): Device {
  const cpu: Device = { device: "cpu", gpus: 0 };
  if (gpu === "off") return cpu;
  const found = gpus();
  if (found.length > 0 && machine === cudaMachine) return { device: "cuda", gpus: found.length };
  if (gpu === "required") {
    throw new UserError(
      found.length === 0
        ? "gpu is required, but nvidia-smi shows none within 10 s"
        : `gpu is required, but ONNX Runtime has no CUDA build for ${machine}`,
      "the image workloads would run on the CPU",
      "set gpu to auto or off, or run the stack where a GPU can be used",
    );
  }
  return found.length === 0
    ? cpu
    : { ...cpu, warning: `${found[0]} is not used: ONNX Runtime has no CUDA build for ${machine}` };
}

/** The device of this machine. */
export function deviceHere(gpu: Settings["gpu"]): Device {
  return chooseDevice(gpu, () => gpusIn(askNvidiaSmi()), `${process.platform} ${process.arch}`);
}
