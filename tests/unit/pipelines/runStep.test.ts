import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Executor } from "../../../infra/contracts/platform";
import run, { type RunSpec } from "../../../pipelines/steps/run";
import { readHistory } from "../../../results/history";
import { readProgress, readRecord, writeInputs } from "../../../results/records";
import { runKey } from "../../../results/result";

const mocked = vi.hoisted(() => ({ executor: {} as Executor, putObject: vi.fn() }));
vi.mock(import("../../../infra/targets"), async (original) => ({
  ...(await original()),
  executorOf: async () => mocked.executor,
}));
vi.mock(import("../../../infra/stores/client"), async (original) => ({
  ...(await original()),
  storeClient: () => ({ putObject: mocked.putObject }) as never,
}));

const [stack, name] = ["s", "spark/taxi-report"];
const inputs = { fareAbove: "30" };
const oracle = { data: "d" };
const key = runKey(inputs);
const spec: RunSpec = {
  engine: "spark",
  cluster: "spark",
  workload: "taxi-report",
  buckets: { lake: "l", images: "i", warehouse: "w", output: "o" },
  rank: 0,
  seconds: 60,
  limits: { cores: 2, memoryBytes: 1 },
  parallelism: { threads: 2 },
};
const result = {
  event: "result",
  engine: "spark",
  workload: "taxi-report",
  key,
  attempt: "a",
  device: "cpu",
  samples: [{ kind: "first", totalSeconds: 1 }],
};

let home: string;
let told: string;
beforeEach(() => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), "run-step-"));
  told = path.join(home, "told");
  process.env.ENGINE_COMPARISON_HOME = home;
  process.env.ENGINE_COMPARISON_TURNS = path.join(home, "turns");
  writeInputs(stack, name, inputs);
  writeInputs(stack, "oracle-taxi-report", oracle);
  mocked.putObject.mockReset();
  leader(`head -1 > ${told}; echo '${JSON.stringify(result)}'`);
});
afterEach(() => {
  fs.rmSync(home, { recursive: true });
  delete process.env.ENGINE_COMPARISON_HOME;
  delete process.env.ENGINE_COMPARISON_TURNS;
});

/** Has the job's leader be a shell script. */
function leader(script: string, watch?: Executor["watch"]) {
  mocked.executor = {
    connection: async () => ({ store: {} as never }),
    start: () => spawn("bash", ["-c", script], { stdio: "pipe" }),
    watch,
  };
}

const attempts = () => readHistory(stack).attempts.map(({ status }) => status);
const turns = () => fs.readdirSync(path.join(home, "turns"));

it("a job is told the inputs that the program has declared, and their keys", async () => {
  await run.create({ stack, name, spec });
  const { spec: job } = JSON.parse(fs.readFileSync(told, "utf8")) as { spec: unknown };
  expect(job).toMatchObject({ inputs, key, oracleKey: runKey(oracle), threads: 2 });
  expect(attempts()).toEqual(["verified"]);
});

it("a run without declared inputs says that one should deploy", async () => {
  fs.rmSync(path.join(home, stack, "inputs", "oracle-taxi-report.json"));
  await expect(run.create({ stack, name, spec })).rejects.toThrow("deploy again");
});

it("an attempt whose result cannot be kept is in the history once, as failed", async () => {
  mocked.putObject.mockRejectedValue(new Error("the store is full"));
  await expect(run.create({ stack, name, spec })).rejects.toThrow("the store is full");
  expect(attempts()).toEqual(["failed"]);
  expect(readRecord(stack, name)?.summary).toMatchObject({ status: "failed", published: key });
});

it.each<[string, () => void, string]>([
  ["whose interpreter is gone", gone, "could not be started"],
  ["whose memory watch cannot be ended", watchFails, "the watch failed"],
])("a run %s leaves a record, no progress, and its turn to the next", async (_, before, why) => {
  before();
  await expect(run.create({ stack, name, spec })).rejects.toThrow(why);
  expect(attempts()).toEqual(["failed"]);
  expect(readProgress(stack, name)).toBeUndefined();
  expect(turns()).toEqual(["turn.lock"]);
});

function gone() {
  leader("");
  mocked.executor.start = () => spawn(path.join(home, "python"), [], { stdio: "pipe" });
}

function watchFails() {
  leader(`echo '${JSON.stringify(result)}'`, async () => ({
    read: () => ({}) as never,
    stop: () => Promise.reject(new Error("the watch failed")),
  }));
}
