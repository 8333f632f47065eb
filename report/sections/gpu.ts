import type { Outcome } from "../../results/outcome";
import { bytes, known, number, percent } from "../format";
import { html, type Html } from "../html";
import { numeric, runTable } from "../table";

/** What NVML said of the GPUs of a workload's runs; nothing where none ran on one. */
export function gpuTable(outcomes: readonly Outcome[]): Html {
  const onGpus = outcomes.filter((outcome) => "device" in outcome && outcome.device === "cuda");
  if (onGpus.length === 0) return html``;
  const caption =
    "GPUs, over the samples that count. Waiting: no kernel ran between the first and the last work of a sample";
  const columns = numeric(
    ...["GPUs at work", "Busy", "Waiting for images", "Peak memory", "Joules a sample"],
    ...["Images per second and GPU", "Images per second and core"],
  );
  return runTable(caption, onGpus, columns, ({ gpu }) => {
    if (!gpu) return columns.map(() => "not measured");
    const { devices, imagesPerSecondPerGpu, imagesPerSecondPerCore } = gpu;
    const each = (value: (device: (typeof devices)[number]) => string) =>
      devices.map(value).join(", ") || "–";
    return [
      devices.length,
      each(({ busyShare }) => percent(busyShare)),
      each(({ starvedShare }) => percent(starvedShare)),
      each(({ peakMemoryBytes }) => bytes(peakMemoryBytes)),
      each(({ joulesPerSample }) => known(joulesPerSample ?? undefined, number)),
      known(imagesPerSecondPerGpu ?? undefined, number),
      number(imagesPerSecondPerCore),
    ];
  });
}
