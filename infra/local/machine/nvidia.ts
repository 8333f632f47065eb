import { probe } from "../../probe";

/** Names of the GPUs that `nvidia-smi` lists; none where it is missing or does not answer in time. */
export function gpusOf(
  listing = probe(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]),
): string[] {
  return (listing ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}
