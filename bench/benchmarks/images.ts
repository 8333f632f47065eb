import { count } from "../../report/format";
import type { Benchmark } from "./benchmark";

/** The bare loops, and whose decoder each has. */
const ceilings = ["ceiling", "ceiling-daft", "ceiling-memory"];

function images(workload: string): Benchmark {
  return {
    name: workload,
    what: "images per second as a share of the same decode and model in a bare loop",
    async run(bench) {
      await bench.deployed({ photos: bench.photos });
      const jobs = await bench.stack.jobs(workload);
      const contenders = [
        ...ceilings.map((engine) => ({
          name: engine,
          kind: "engine",
          engine,
          spec: jobs.get("baseline"),
        })),
        ...[...jobs].map(([engine, spec]) => ({
          name: engine,
          kind: "engine",
          engine,
          spec,
          against: [engine === "daft" ? "ceiling-daft" : "ceiling"],
        })),
      ];
      const title = `${workload}, ${count(bench.photos)} photos`;
      const work = { amount: bench.photos, unit: "images" };
      return [await bench.measured({ title, work, rounds: bench.samples ?? 5, contenders })];
    },
  };
}

export const imagePredictions = images("image-predictions");
export const imageEmbeddings = images("image-embeddings");
