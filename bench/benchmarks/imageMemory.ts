import type { RunResult } from "../../results/result";
import { bytes, count, number } from "../../report/format";
import type { Host } from "../harness";
import type { Table } from "../render";
import type { Bench, Benchmark, BenchStack } from "../stack";

const engines = ["spark", "ray", "daft", "plain"];
const workloads = ["image-predictions", "image-embeddings"];

export const imageMemory: Benchmark = {
  name: "image-memory",
  what: "the engines' peak memory for ten times --photos, one cold sample each",
  onlyAsked: true,
  async run(bench) {
    const results = bench.stack.beside("memory", (stack) => resultsOf(bench, stack));
    return memoryTables(bench.photos[0], await results);
  },
};

const sizesOf = (few: number) => [few, 10 * few];

/** Every result, by `<engine>/<workload> <photos>`. */
async function resultsOf(bench: Bench, stack: BenchStack) {
  const found = new Map<string, RunResult>();
  for (const photos of sizesOf(bench.photos[0])) {
    // The oracle is on one thread and no contender.
    const oracleImages = Math.min(1_000, photos);
    const runs = { engines: engines.join(","), workloads: workloads.join(",") };
    await stack.start({ ...runs, photos, oracleImages, runTimeoutSeconds: 3600 });
    for (const run of workloads.flatMap((w) => engines.map((engine) => `${engine}/${w}`))) {
      found.set(`${run} ${photos}`, stack.result(run));
    }
  }
  return found;
}

/**
 * A table for each workload.
 *
 * @param photos the fewer ones
 * @param found results by `<engine>/<workload> <photos>`
 */
export function memoryTables(photos: number, found: ReadonlyMap<string, RunResult>): Table[] {
  const [few, many] = sizesOf(photos);
  return workloads.map((workload) => {
    const results = engines.map((engine) =>
      [few, many].map((photos) => found.get(`${engine}/${workload} ${photos}`)!),
    );
    const rows = results.map(([small, large], at) => {
      const [before, after] = [small, large].map(({ peakMemoryBytes: peak }) => peak as number);
      return [engines[at], bytes(before), bytes(after), number(after / before)];
    });
    const titles = [few, many].map((photos) => `${count(photos)} photos`);
    return {
      title: `${workload}, peak memory`,
      rows: [["", ...titles, "times"], ...rows],
      legend:
        "Peak memory of the job and its engine's services together, PSS, in one driver process with one sample.",
      host: results[0][0].host as Host,
      versions: Object.assign(
        {},
        ...results.flat().map((one) => one.versions),
      ) as Table["versions"],
      data: Object.fromEntries(found),
    };
  });
}
