import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { stackFiles } from "../../../infra/stack/files";
import { settleRecord } from "../../../results/history";
import { appendHistory, readRecord, writeRecord } from "../../../results/records";
import { schemaVersion, summarise, type RunFailure, type RunResult } from "../../../results/result";

const stack = "s";
const run = "spark/taxi-report";
const result = {
  schema: schemaVersion,
  engine: "spark",
  workload: "taxi-report",
  key: "thirty",
  attempt: "1",
  device: "cpu",
  oneShotSeconds: 14,
  medianSeconds: 3,
  forks: [
    { startUpSeconds: 5, state: "steady", slope: 0, peakMemoryBytes: 1 },
    { startUpSeconds: 5, state: "still warming", slope: -0.1, peakMemoryBytes: 1 },
  ],
  samples: [
    { kind: "first", fork: 1, totalSeconds: 9 },
    { kind: "warm", fork: 1, totalSeconds: 5 },
    { kind: "hot", fork: 1, totalSeconds: 2 },
    { kind: "hot", fork: 2, totalSeconds: 4 },
  ],
  rows: 9,
  rejected: 0,
  checksum: "c",
  verified: true,
  outputUri: "s3://warehouse/report/engine=spark/run=thirty/",
} as const satisfies RunResult;
const failure: RunFailure = {
  key: "forty",
  status: "failed",
  verified: false,
  attempt: "2",
  reason: "9 trips too many",
  log: "log",
  published: "thirty",
};

let before: string | undefined;
beforeEach(() => {
  before = process.env.ENGINE_COMPARISON_HOME;
  process.env.ENGINE_COMPARISON_HOME = fs.mkdtempSync(path.join(os.tmpdir(), "records-"));
});
afterEach(() => {
  fs.rmSync(process.env.ENGINE_COMPARISON_HOME!, { recursive: true });
  if (before === undefined) delete process.env.ENGINE_COMPARISON_HOME;
  else process.env.ENGINE_COMPARISON_HOME = before;
});

it("a result's summary has one-shot, steady, the curve, and whether a process was still warming", () => {
  expect(summarise(result)).toMatchObject({
    ...{ oneShotSeconds: 14, medianSeconds: 3, state: "still warming", samples: [9, 5, 2, 4] },
  });
});

it("a result is kept although the line before it was cut short", () => {
  const history = stackFiles(stack).history;
  appendHistory(stack, result);
  fs.truncateSync(history, 40);
  for (const key of ["forty", "fifty"]) appendHistory(stack, { ...result, key });
  const keys = fs.readFileSync(history, "utf8").match(/^\{.*"key":"\w+".*\}$/gm);
  expect(keys?.map((line) => (JSON.parse(line) as RunResult).key)).toEqual(["forty", "fifty"]);
});

it("a failure gives way to the standing result once an up without it has succeeded", () => {
  appendHistory(stack, result);
  appendHistory(stack, { run, ...failure });
  fs.appendFileSync(
    path.join(process.env.ENGINE_COMPARISON_HOME!, stack, "history", "results.jsonl"),
    '{"cut',
  );
  writeRecord(stack, run, { summary: failure, at: "now" });
  settleRecord(stack, run, summarise(result));
  expect(readRecord(stack, run)?.summary).toEqual(summarise(result));
});

it("a failure stays where the history has no such result", () => {
  writeRecord(stack, run, { summary: failure, at: "now" });
  settleRecord(stack, run, summarise(result));
  expect(readRecord(stack, run)?.summary).toEqual(failure);
});

it("a record that vanished is written again from the history", () => {
  appendHistory(stack, result);
  settleRecord(stack, run, summarise(result));
  expect(readRecord(stack, run)?.summary).toEqual(summarise(result));
});
