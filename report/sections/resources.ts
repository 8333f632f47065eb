import { isVerified, type Outcome, type Verified } from "../../results/outcome";
import { bytes, count, known, number, percent } from "../format";
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

/** Calls of the S3 API by the verbs that stores bill and limit; all others are "other". */
const verbs: Readonly<Record<string, RegExp>> = {
  GET: /^GetObject$/,
  HEAD: /^Head/,
  PUT: /^(PutObject(Part)?|CopyObject(Part)?)$/,
  LIST: /^List/,
};

const columns = numeric(...Object.keys(verbs), "Other", "Bytes read", "Bytes written");

/** What the last sample of each run asked of the store. */
export function requests(outcomes: readonly Outcome[]): Html {
  const heading = html`<h3>Requests to the store</h3>`;
  if (!outcomes.some((run) => isVerified(run) && run.requests)) {
    return html`${heading}
      <p>Not known: the store tells no counts, or others use it, too.</p>`;
  }
  const caption = "What the last sample asked of the store, by the store's own counts";
  return html`${heading} ${runTable(caption, outcomes, columns, cells)}`;
}

function cells({ requests }: Verified): string[] {
  if (!requests) return columns.map(() => "unknown");
  const { byApi, sentBytes, receivedBytes } = requests;
  const of = (isCounted: (api: string) => boolean) =>
    Object.entries(byApi)
      .filter(([api]) => isCounted(api))
      .reduce((sum, [, calls]) => sum + calls, 0);
  const named = Object.values(verbs);
  return [
    ...named.map((verb) => count(of((api) => verb.test(api)))),
    count(of((api) => !named.some((verb) => verb.test(api)))),
    bytes(sentBytes),
    bytes(receivedBytes),
  ];
}
