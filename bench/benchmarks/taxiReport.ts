import { count } from "../../report/format";
import type { Contender } from "../harness";
import type { Table } from "../render";
import type { BenchStack } from "../stack";
import type { Bench, Benchmark } from "./benchmark";

const workload = "taxi-report";

/** What a user would take without any engine. */
const plain = ["polars", "duckdb"];

/** Every way to make the report: the engines, and what one would use without any. */
export async function reporters(stack: BenchStack, kind: string): Promise<Contender[]> {
  const jobs = await stack.jobs(workload);
  const baseline = jobs.get("baseline");
  const engines = [...jobs].filter(([engine]) => engine !== "baseline");
  return [
    { name: "polars", kind, engine: "baseline", spec: baseline },
    { name: "duckdb", kind, engine: "duckdb", spec: baseline },
    ...engines.map(([engine, spec]) => ({ name: engine, kind, engine, spec, against: plain })),
  ];
}

export const taxiReport: Benchmark = {
  name: workload,
  what: "the tabular workload against plain Polars and DuckDB, at each of --rows",
  async run(bench: Bench) {
    const tables: Table[] = [];
    for (const rows of bench.rows) {
      await bench.deployed({ taxiRows: rows });
      const title = `${workload}, ${count(rows)} trips`;
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
