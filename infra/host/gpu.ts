import { probe } from "./probe";

/** WSL2 keeps the driver's programs in a folder that is not on everybody's PATH. */
export const wslSmi = "/usr/lib/wsl/lib/nvidia-smi";

/** What `nvidia-smi` lists: a line of name and memory for each GPU; undefined: no answer within 10 s. */
export function askNvidiaSmi(): string | undefined {
  const query = ["--query-gpu=name,memory.total", "--format=csv,noheader"];
  return probe(["nvidia-smi", ...query]) ?? probe([wslSmi, ...query]);
}

/** Name and memory of each GPU, e.g. `NVIDIA GeForce RTX 4090, 24564 MiB`. */
export function gpusIn(listing: string | undefined): string[] {
  return (listing ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}

/** What to tell where more workers are wanted than there are GPUs, each of which takes one. */
export function clampNote(gpuWorkers: number, gpus: number): string | undefined {
  if (gpus === 0 || gpuWorkers <= gpus) return undefined;
  const there = gpus === 1 ? "is 1 GPU: 1 is" : `are ${gpus} GPUs: ${gpus} are`;
  return `gpuWorkers is ${gpuWorkers}, but there ${there} used`;
}
