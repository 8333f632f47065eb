import { expect, it, vi } from "vitest";
import { BenchStack } from "../../../bench/stack";

vi.mock("../../../cli/session", () => ({
  openToDeploy: async () => ({}),
  declaredRuns: async () => {
    const declared = (engine: string) => ({ spec: { engine, workload: "image-predictions" } });
    return new Map<string, object>([
      ["oracle-image-predictions", { inputs: {} }],
      ["plain/image-predictions", declared("plain")],
      ["duckdb/image-predictions", declared("duckdb")],
      ["polars/taxi-report", declared("polars")],
    ]);
  },
}));
vi.mock("../../../infra/targets", () => ({
  executorOf: async () => ({ connection: async () => ({}) }),
}));
vi.mock("../../../pipelines/steps/run", async (original) => ({
  ...(await original()),
  jobSpec: (_stack: string, run: object) => run,
}));

it("measures no contender that cannot do the workload, and says why", async () => {
  const stack = new BenchStack("bench-of-a-test", [], new AbortController().signal);
  const leftOut = vi.fn();
  const jobs = await stack.jobs("image-predictions", leftOut);
  expect([...jobs.keys()]).toEqual(["plain"]);
  expect(leftOut).toHaveBeenCalledExactlyOnceWith("duckdb", expect.stringMatching(/^DuckDB reads/));
});
