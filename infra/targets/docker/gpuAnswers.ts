import type { DaemonInfo } from "./daemon";
import { askNvidiaSmi } from "../../host/gpu";
import { probe } from "../../host/environment";

/** What the machine answered when asked for GPUs; everything that the decision is made from. */
export interface GpuAnswers {
  readonly info: DaemonInfo;
  /** What `nvidia-smi` lists; undefined: no answer. */
  readonly nvidiaSmi: string | undefined;
  /** Lines of `nvidia-ctk cdi list`; undefined: there is no such program. */
  readonly cdiList: string | undefined;
  /** Whether the toolkit's hook for `--gpus` is installed. */
  readonly hook: boolean;
}

const timeoutMs = 10_000;

/** Asks; nothing is changed, and nothing waits longer than 10 s. */
export function askForGpus(info: DaemonInfo): GpuAnswers {
  return {
    info,
    nvidiaSmi: askNvidiaSmi(),
    cdiList: probe(["nvidia-ctk", "cdi", "list"], timeoutMs),
    hook: probe(["nvidia-container-cli", "--version"], timeoutMs) !== undefined,
  };
}
