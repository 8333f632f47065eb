import { datasetFolder } from "../../infra/host/folders";
import { readStepRecord } from "../../infra/stack/records";
import { recipeOf } from "../../pipelines/dataset";
import { makingStep } from "../../pipelines/places";
import { count } from "../../report/format";
import type { Benchmark } from "./benchmark";

export const datasets: Benchmark = {
  name: "datasets",
  what: "making the trips against writing the same tables from memory",
  async run(bench) {
    const [rows] = bench.rows;
    await bench.deployed({ taxiRows: rows });
    const made = readStepRecord(bench.stack.name, makingStep("taxi"))?.result;
    const shared = {
      settings: recipeOf("taxi", await bench.stack.settings(), "lake").settings,
      made: datasetFolder("taxi", String(made?.version)),
    };
    const folder = (name: string) => datasetFolder("bench", name);
    const contenders = [
      {
        name: "dataset maker",
        kind: "make-trips",
        ...shared,
        folder: folder("made"),
        against: ["pyarrow"],
      },
      { name: "pyarrow", kind: "write-trips", ...shared, folder: folder("written") },
    ];
    const title = `datasets, ${count(rows)} trips`;
    return [await bench.measured({ title, rounds: bench.samples ?? 5, contenders })];
  },
};
