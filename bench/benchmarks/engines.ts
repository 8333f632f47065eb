import { datasetFolder } from "../../infra/host/folders";
import { readStepRecord } from "../../infra/stack/records";
import { recipeOf } from "../../pipelines/dataset";
import { makingStep } from "../../pipelines/places";
import { count } from "../../report/format";
import type { Inputs } from "../../results/result";
import type { Contender } from "../harness";
import type { Table } from "../render";
import type { Bench, Benchmark, BenchStack } from "../stack";

/** What a user would take without any engine. */
const plain = ["polars", "duckdb"];

/** Every way to make the report: the engines, and what one would use without any. */
async function reporters(stack: BenchStack, kind: string): Promise<Contender[]> {
  const jobs = await stack.jobs("taxi-report");
  const polars = jobs.get("polars");
  const engines = [...jobs].filter(([engine]) => engine !== "polars");
  return [
    { name: "polars", kind, engine: "polars", spec: polars },
    { name: "duckdb", kind, engine: "duckdb", spec: polars },
    ...engines.map(([engine, spec]) => ({ name: engine, kind, engine, spec, against: plain })),
  ];
}

export const taxiReport: Benchmark = {
  name: "taxi-report",
  what: "the tabular workload against plain Polars and DuckDB, at each of --rows",
  async run(bench: Bench) {
    const tables: Table[] = [];
    for (const rows of bench.rows) {
      await bench.deployed({ taxiRows: rows });
      const title = `taxi-report, ${count(rows)} trips`;
      const contenders = await reporters(bench.stack, "engine");
      tables.push(await bench.measured({ title, rounds: bench.samples ?? 9, contenders }));
    }
    return tables;
  },
};

export const startUp: Benchmark = {
  name: "start-up",
  what: "each engine's start in fresh processes",
  async run(bench) {
    await bench.deployed();
    const contenders = (await reporters(bench.stack, "start-up")).map((each) => ({
      ...each,
      against: each.against && ["polars"],
    }));
    return [await bench.measured({ title: "start-up", rounds: bench.samples ?? 5, contenders })];
  },
};

export const imagePredictions = images("image-predictions");
export const imageEmbeddings = images("image-embeddings");

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
      const spec = jobs.get("plain")!;
      const decoder = name === "ceiling-daft" ? "own" : "pillow";
      const inputs = { ...(spec.inputs as Inputs), decoder };
      return { name, kind, engine: name, spec: { ...spec, inputs } };
    }),
    ...[...jobs].map(([engine, spec]) => {
      const against = [engine === "daft" ? "ceiling-daft" : "ceiling"];
      return { name: engine, kind, engine, spec, against };
    }),
  ];
}

export const datasets: Benchmark = {
  name: "datasets",
  what: "making the trips against writing the same tables from memory",
  async run(bench) {
    const [rows] = bench.rows;
    await bench.deployed({ taxiRows: rows });
    const version = readStepRecord(bench.stack.name, makingStep("taxi"))?.result.version;
    const shared = {
      settings: recipeOf("taxi", await bench.stack.settings(), "lake").settings,
      made: datasetFolder("taxi", String(version)),
    };
    const contender = (name: string, kind: string, to: string) => {
      return { name, kind, ...shared, folder: datasetFolder("bench", to) };
    };
    const contenders = [
      { ...contender("dataset maker", "make-trips", "made"), against: ["pyarrow"] },
      contender("pyarrow", "write-trips", "written"),
    ];
    const title = `datasets, ${count(rows)} trips`;
    return [await bench.measured({ title, rounds: bench.samples ?? 5, contenders })];
  },
};
