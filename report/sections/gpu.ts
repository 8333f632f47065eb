import type { Outcome } from "../../results/outcome";
import { bytes, known, number, percent } from "../format";
import { html, type Html } from "../html";
import { numeric, rows, table, words } from "../table";

/** What NVML said of the GPUs of a workload's runs; nothing where none ran on one. */
export function gpuTable(outcomes: readonly Outcome[]): Html {
  const onGpus = outcomes.filter((outcome) => "device" in outcome && outcome.device === "cuda");
  if (onGpus.length === 0) return html``;
  return table({
    caption:
      "GPUs, over the samples that count. Waiting: no kernel ran between the first and the last work of a sample",
    columns: [
      ...words("Engine"),
      ...numeric("GPUs at work", "Busy", "Waiting for images", "Peak memory", "Joules a sample"),
      ...numeric("Images per second and GPU", "Images per second and core"),
    ],
    rows: rows(onGpus, ({ gpu }) => {
      if (!gpu) return Array<string>(7).fill("not measured");
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
    }),
  });
}
