import type { DaemonInfo } from "../daemon";
import { probe } from "../../probe";

/** What the machine answered when asked for GPUs; everything that the decision is made from. */
export interface GpuAnswers {
  readonly info: DaemonInfo;
  /** Lines of `nvidia-smi --query-gpu=name,memory.total --format=csv,noheader`; undefined: no answer. */
  readonly nvidiaSmi: string | undefined;
  /** Lines of `nvidia-ctk cdi list`; undefined: there is no such program. */
  readonly cdiList: string | undefined;
  /** Whether the toolkit's hook for `--gpus` is installed. */
  readonly hook: boolean;
}

const timeoutMs = 10_000;

/** WSL2 keeps the driver's programs in a folder that is not on everybody's PATH. */
const wslSmi = "/usr/lib/wsl/lib/nvidia-smi";

/** Asks; nothing is changed, and nothing waits longer than 10 s. */
export function askForGpus(info: DaemonInfo): GpuAnswers {
  const query = ["--query-gpu=name,memory.total", "--format=csv,noheader"];
  const smi = (program: string) => probe([program, ...query], timeoutMs);
  return {
    info,
    nvidiaSmi: smi("nvidia-smi") ?? smi(wslSmi),
    cdiList: probe(["nvidia-ctk", "cdi", "list"], timeoutMs),
    hook: probe(["nvidia-container-cli", "--version"], timeoutMs) !== undefined,
  };
}
