import { count } from "../../report/format";
import type { Contender } from "../harness";
import type { Table } from "../render";
import type { BenchStack } from "../stack";
import type { Benchmark } from "./benchmark";

function images(workload: string): Benchmark {
  return {
    name: workload,
    what: "images per second as a share of the same decode and model in a bare loop",
    async run(bench) {
      const tables: Table[] = [];
      for (const photos of bench.photos) {
        await bench.deployed({ photos });
        const title = `${workload}, ${count(photos)} photos`;
        const work = { amount: photos, unit: "images" };
        const contenders = await classifiers(bench.stack, workload);
        tables.push(await bench.measured({ title, work, rounds: bench.samples ?? 5, contenders }));
      }
      return tables;
    },
  };
}

/** The bare loops, and every engine with the bare loop that has its decoder. */
async function classifiers(stack: BenchStack, workload: string): Promise<Contender[]> {
  const jobs = await stack.jobs(workload);
  const kind = "engine";
  return [
    ...["ceiling", "ceiling-daft", "ceiling-memory"].map((name) => {
      return { name, kind, engine: name, spec: jobs.get("baseline") };
    }),
    ...[...jobs].map(([engine, spec]) => {
      const against = [engine === "daft" ? "ceiling-daft" : "ceiling"];
      return { name: engine, kind, engine, spec, against };
    }),
  ];
}

export const imagePredictions = images("image-predictions");
export const imageEmbeddings = images("image-embeddings");
