import { beforeEach, expect, it } from "vitest";
import { failedRuns, outputLines, withRuns } from "../../../cli/terminal/stackOutputs";
import { loadReport } from "../../../report/renderReport";
import { writeInputs, writeRecord } from "../../../results/records";
import type { RunFailure, RunSummary } from "../../../results/result";
import { freshHome } from "./home";

freshHome();
const runs = ["spark/taxi-report", "ray/image-predictions", "daft/image-embeddings"];
const verified = {
  key: "k1",
  status: "verified",
  device: "cpu",
  rows: 6,
  rejected: 0,
  oneShotSeconds: 2.5,
  medianSeconds: 1.5,
  state: "steady",
  outputUri: "s3://warehouse/report/engine=spark/run=k1/",
} as RunSummary;
const failed = {
  key: "k2",
  status: "failed",
  reason: "no actor",
  log: "/l",
  published: "k0",
} as RunFailure;

beforeEach(() => {
  const at = "2026-01-01T00:00:00Z";
  writeRecord("local", runs[0], { summary: verified, at } as never);
  writeRecord("local", runs[1], { summary: failed, at });
});

it("runs come from their records, so that a failure shows and not the old result", () => {
  const outputs = { minioEndpoint: "http://x", runs: { [runs[1]]: { key: "k0" } } };
  expect(withRuns("local", runs, outputs)).toEqual({
    minioEndpoint: "http://x",
    runs: { [runs[0]]: verified, [runs[1]]: failed },
  });
  expect(failedRuns("local", runs)).toEqual([[runs[1], failed]]);
});

it("a run without a record is what the state says", () => {
  const inState = { [runs[2]]: { key: "k3" } };
  expect(withRuns("local", [], { runs: inState }).runs).toEqual(inState);
});

it("a run that was skipped is not told as if it had come to its former result", () => {
  writeInputs("local", runs[0], { data: "new" });
  writeInputs("local", runs[2], { data: "new" });
  const outputs = { runs: { [runs[2]]: verified } };
  const skipped = { status: "skipped", verified: false, published: "k1" };
  expect(withRuns("local", runs, outputs).runs).toMatchObject({
    [runs[0]]: skipped,
    [runs[2]]: skipped,
  });
  expect(outputLines("local", [runs[0]], {})).toEqual([
    "spark/taxi-report           not run since its inputs changed",
    "    still published: run k1",
  ]);
  expect(loadReport("local", [runs[0]]).runs[0].record).toBeUndefined();
});

it("people get a line an output and what each run came to", () => {
  const outputs = { reportUrl: "", sparkUiUrl: "http://u", buckets: { lake: "lake" } };
  expect(outputLines("local", runs, outputs)).toEqual([
    "sparkUiUrl  http://u",
    "buckets     lake: lake",
    "spark/taxi-report           verified, one-shot 2.50 s, median 1.50 s, 6 rows, on cpu",
    "    s3://warehouse/report/engine=spark/run=k1/",
    "ray/image-predictions       failed: no actor",
    "    log: /l",
    "    still published: run k0",
    "daft/image-embeddings       never ran",
  ]);
});
