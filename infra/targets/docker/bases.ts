import type { Settings } from "../../settings/schema";

/** What the images are built on where `baseImage` says nothing; exact, so that a build can be repeated. */
export const bases = {
  cpu: "debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171",
  /** CUDA 12 and cuDNN 9 are what ONNX Runtime 1.23 was built for. */
  cuda: "nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04@sha256:ac55d124da4882b497f732d8dfd9a702d5447a5f29d08d56da6f64f0a1eb34bc",
} as const;

export function baseImage(settings: Pick<Settings, "baseImage">, device: "cpu" | "cuda"): string {
  return settings.baseImage ?? bases[device];
}
