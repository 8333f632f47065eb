import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Executor } from "../../../infra/contracts/platform";
import { datasetFolder } from "../../../infra/host/folders";
import { generation, readStepRecord, writeStepRecord } from "../../../infra/stack/records";
import { listingOf } from "../../../infra/stores/client";
import { oracle as oracleStep, run, type RunSpec } from "../../../pipelines/steps/run";
import type { Engine } from "../../../results/catalog";
import { expectedSeconds, readHistory } from "../../../results/history";
import { readProgress, readRecord, writeInputs } from "../../../results/records";
import { isFailure, runKey } from "../../../results/result";

const mocked = vi.hoisted(() => ({
  executor: {} as Executor,
  putObject: vi.fn(),
  objects: new Map<string, number>(),
  bucketExists: true,
  /** What the contender's file says besides. */
  says: {},
}));
vi.mock(import("../../../results/catalog"), async (original) => {
  const real = await original();
  return { ...real, engineOf: (name: string) => ({ ...real.engineOf(name), ...mocked.says }) };
});
vi.mock(import("../../../infra/targets"), async (original) => ({
  ...(await original()),
  executorOf: async () => mocked.executor,
}));
vi.mock(import("../../../infra/stores/client"), async (original) => ({
  ...(await original()),
  storeClient: () =>
    ({
      putObject: mocked.putObject,
      bucketExists: async () => mocked.bucketExists,
      listObjectsV2: (_bucket: string, prefix: string) =>
        Readable.from(
          [...mocked.objects]
            .filter(([name]) => name.startsWith(prefix))
            .map(([name, size]) => ({ name, size, etag: String(size) })),
        ),
    }) as never,
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
  output: { bucket: "w", prefix: "report/engine=spark/" },
  rank: 0,
  seconds: 60,
  limits: { cores: 2, memoryBytes: 1 },
  outOfMemory: "failure",
  threads: 2,
};
const result = {
  event: "result",
  schema: 2,
  engine: "spark",
  workload: "taxi-report",
  key,
  attempt: "a",
  device: "cpu",
  oneShotSeconds: 2,
  medianSeconds: 1,
  forks: [{ startUpSeconds: 1, state: "fixed", slope: 0, peakMemoryBytes: 1 }],
  samples: [{ kind: "first", fork: 1, totalSeconds: 1 }],
};

let home: string;
let told: string;
beforeEach(() => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), "run-step-"));
  told = path.join(home, "told");
  process.env.ENGINE_COMPARISON_HOME = home;
  process.env.ENGINE_COMPARISON_TURNS = path.join(home, "turns");
  process.env.ENGINE_COMPARISON_CACHE = path.join(home, "cache");
  mocked.objects = new Map([
    ["taxi/one.parquet", 10],
    ["taxi/two.parquet", 20],
  ]);
  mocked.bucketExists = true;
  mocked.says = {};
  writeInputs(stack, name, inputs);
  writeInputs(stack, "oracle-taxi-report", oracle);
  mocked.putObject.mockReset();
  leader(`head -1 > ${told}; echo '${JSON.stringify(result)}'`);
});
afterEach(() => {
  fs.rmSync(home, { recursive: true });
  delete process.env.ENGINE_COMPARISON_HOME;
  delete process.env.ENGINE_COMPARISON_TURNS;
  delete process.env.ENGINE_COMPARISON_CACHE;
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
  expect(turns()).toContain("turn.lock");
});

function gone() {
  leader("");
  mocked.executor.start = () => spawn(path.join(home, "python"), [], { stdio: "pipe" });
}

function watchFails() {
  leader(`echo '${JSON.stringify(result)}'`, async () => ({
    ask: async () => [],
    stop: () => Promise.reject(new Error("the watch failed")),
  }));
}

it("each attempt asks for the store's keys when its turn has come", async () => {
  let asked = 0;
  mocked.executor.connection = async () => {
    expect(turns()).toContain("turn.lock");
    return { store: { sessionToken: String(++asked) } as never };
  };
  expect(fs.existsSync(path.join(home, "turns"))).toBe(false);
  for (const token of ["1", "2"]) {
    await run.create({ stack, name, spec });
    const { spec: job } = JSON.parse(fs.readFileSync(told, "utf8")) as { spec: unknown };
    expect(job).toMatchObject({ store: { sessionToken: token } });
  }
});

describe("a run that its contender does not support", () => {
  const inspected = (facts: { rows: number; hidden?: number }) =>
    writeStepRecord(stack, "taxi-inspection", { generation: "1", result: { facts } });
  const found = (result: { rejected: number; longTexts: number }) =>
    writeStepRecord(stack, "oracle-taxi-report", { generation: "1", result });

  it.each<[string, Partial<Engine>, string]>([
    ["by its file", { unsupported: { "taxi-report": "it reads no tables" } }, "it reads no tables"],
    [
      "with the corrupt images that the oracle has found",
      { corruptImages: "its reader stops there" },
      "its reader stops there (corrupt or missing images in the dataset: 3)",
    ],
    [
      "with a store that takes no checksums",
      { corruptImages: undefined, checksums: "it sends them always" },
      "it sends them always (s3Checksums is false)",
    ],
    [
      "with the long texts that the oracle has found",
      { corruptImages: undefined, longTexts: "its decoder has limits" },
      "its decoder has limits (PNG images with long or broken texts or profiles in the dataset: 2)",
    ],
    [
      "with names of hidden files that the inspection has found",
      { corruptImages: undefined, hiddenNames: "its reader leaves them out" },
      "its reader leaves them out (images whose names begin with _ or a dot in the dataset: 4)",
    ],
    [
      "without rows",
      { corruptImages: undefined, noRows: { "taxi-report": "its join fails" } },
      "its join fails",
    ],
  ])("%s has that outcome, and no job is started", async (_, says, reason) => {
    found({ rejected: 3, longTexts: 2 });
    writeStepRecord(stack, "object-store", { generation: "1", result: { checksums: false } });
    inspected({ rows: 0, hidden: 4 });
    mocked.says = says;
    const summary = await run.create({ stack, name, spec });
    expect(summary).toMatchObject({ status: "not supported", verified: false, reason, key });
    expect(fs.existsSync(told)).toBe(false);
    expect(attempts()).toEqual(["not supported"]);
    expect(readRecord(stack, name)?.summary).toEqual(summary);
    expect(await run.update({ stack, name, spec })).toEqual(summary);
    expect(attempts()).toEqual(["not supported"]);
  });

  it("is carried out when what was in the way is gone, and told anew when something else is", async () => {
    writeStepRecord(stack, "object-store", { generation: "1", result: { checksums: false } });
    mocked.says = {
      checksums: "it sends them always",
      noRows: { "taxi-report": "its join fails" },
    };
    await run.create({ stack, name, spec });
    writeStepRecord(stack, "object-store", { generation: "1", result: {} });
    inspected({ rows: 0 });
    expect(await run.update({ stack, name, spec })).toMatchObject({ reason: "its join fails" });
    inspected({ rows: 1 });
    expect(await run.update({ stack, name, spec })).toMatchObject({ status: "verified" });
    expect(attempts()).toEqual(["not supported", "not supported", "verified"]);
  });

  it("is carried out where neither dataset nor store is in the way", async () => {
    found({ rejected: 0, longTexts: 0 });
    inspected({ rows: 0, hidden: 0 });
    mocked.says = {
      ...{ corruptImages: "its reader stops there", longTexts: "its decoder has limits" },
      ...{ noRows: { "image-predictions": "its reader fails" }, checksums: "it sends them always" },
      hiddenNames: "its reader leaves them out",
    };
    expect(await run.create({ stack, name, spec })).toMatchObject({ status: "verified" });
  });
});

it.each(["wrong", "out of memory", "timed out"] as const)(
  "an attempt that comes to %s fails its Command, and says so",
  async (outcome) => {
    const failure = { event: "failure", reason: "why", advice: "", outcome };
    leader(`echo '${JSON.stringify(failure)}'; exit 1`);
    await expect(run.create({ stack, name, spec })).rejects.toThrow("why");
    expect(readRecord(stack, name)?.summary).toMatchObject({ status: outcome, reason: "why" });
    expect(attempts()).toEqual([outcome]);
    leader(`echo '${JSON.stringify(result)}'`);
    expect(await run.update({ stack, name, spec })).toMatchObject({ status: "verified" });
  },
);

it("is out of memory by intention: an outcome, which the next up leaves until it is a failure again", async () => {
  const failure = { event: "failure", reason: "2 GiB", advice: "", outcome: "out of memory" };
  leader(`echo '${JSON.stringify(failure)}'; exit 1`);
  const asked = { ...spec, outOfMemory: "outcome" as const };
  const summary = await run.create({ stack, name, spec: asked });
  expect(summary).toMatchObject({ status: "out of memory", meant: true, reason: "2 GiB" });
  expect(isFailure(readRecord(stack, name)!.summary)).toBe(false);
  expect(await run.update({ stack, name, spec: asked })).toEqual(summary);
  expect(attempts()).toEqual(["out of memory"]);
  await expect(run.update({ stack, name, spec })).rejects.toThrow("2 GiB");
  expect(isFailure(readRecord(stack, name)!.summary)).toBe(true);
});

it.each(["wrong", "failed", "timed out"])("%s is meant by nobody", async (outcome) => {
  const failure = { event: "failure", reason: "why", advice: "", outcome };
  leader(`echo '${JSON.stringify(failure)}'; exit 1`);
  const asked = { ...spec, outOfMemory: "outcome" as const };
  await expect(run.create({ stack, name, spec: asked })).rejects.toThrow("why");
});

it("an attempt that finds out that it is not supported here is an outcome, and no failure", async () => {
  const failure = { event: "failure", reason: "no avx2", advice: "", outcome: "not supported" };
  leader(`echo '${JSON.stringify(failure)}'; exit 1`);
  const summary = await run.create({ stack, name, spec });
  expect(summary).toMatchObject({ status: "not supported", reason: "no avx2", verified: false });
  expect(attempts()).toEqual(["not supported"]);
  expect(await run.update({ stack, name, spec })).toEqual(summary);
});

it("the time that an attempt took is what the next one is expected to take", async () => {
  expect(expectedSeconds(stack, [name, "ray/taxi-report"])).toBe(80);
  await run.create({ stack, name, spec });
  expect(expectedSeconds(stack, [name, "ray/taxi-report"])).toBeLessThan(80);
});

describe("data that a run is about to read", () => {
  const again = () =>
    generation(stack, "taxi-upload", ({ lost }) => !lost, "lost objects").split(",")[0];

  function uploaded() {
    const folder = datasetFolder("taxi", "v");
    fs.mkdirSync(folder, { recursive: true });
    const files = [...mocked.objects].map(([path, bytes]) => ({ path, bytes }));
    fs.writeFileSync(path.join(folder, "manifest.json"), JSON.stringify(files));
    const made = { source: "sample", version: "v" };
    writeStepRecord(stack, "taxi-files", { generation: "1", result: made });
    writeStepRecord(stack, "taxi-upload", { generation: "1", result: { files: 2 } });
    writeStepRecord(stack, "bucket-lake", { generation: "1", result: {} });
  }

  it.each<[string, () => void, string]>([
    [
      "an object that is gone",
      () => mocked.objects.delete("taxi/two.parquet"),
      "1 of 2 files of the taxi data are not in bucket lake as they were uploaded, e.g. taxi/two.parquet",
    ],
    [
      "an object of another size",
      () => mocked.objects.set("taxi/one.parquet", 9),
      "1 of 2 files of the taxi data are not in bucket lake as they were uploaded, e.g. taxi/one.parquet",
    ],
    ["all objects gone", () => mocked.objects.clear(), "bucket lake has nothing of the taxi data"],
    [
      "the bucket gone",
      () => (mocked.bucketExists = false),
      "bucket lake with the taxi data is gone",
    ],
  ])("%s: no job is started, and the next deployment uploads again", async (_, lose, what) => {
    uploaded();
    lose();
    for (const attempt of [
      () => run.create({ stack, name, spec }),
      () =>
        oracleStep.create({
          stack,
          name: "oracle-taxi-report",
          spec: { workload: "taxi-report", buckets: spec.buckets },
        }),
    ]) {
      await expect(attempt()).rejects.toMatchObject({
        what,
        fix: "run the same command again: it uploads them again",
      });
    }
    expect(fs.existsSync(told)).toBe(false);
    expect(attempts()).toEqual(["failed"]);
    expect(again()).toBe("2");
    expect(readStepRecord(stack, "bucket-lake")?.result.lost).toBe(
      mocked.bucketExists ? undefined : true,
    );
  });

  it("is read where it is as it was uploaded", async () => {
    uploaded();
    await run.create({ stack, name, spec });
    expect(again()).toBe("1");
  });

  it("is compared by its listing where the stack did not upload it", async () => {
    const objects = [...mocked.objects].map(
      ([name, size]) => [name, { size, etag: String(size) }] as const,
    );
    const seen = { source: "existing", version: listingOf(new Map(objects)).hash };
    writeStepRecord(stack, "taxi-files", { generation: "1", result: seen });
    await run.create({ stack, name, spec });
    mocked.objects.set("taxi/three.parquet", 30);
    await expect(run.create({ stack, name, spec })).rejects.toMatchObject({
      what: "the taxi data in bucket lake has changed since the program looked at it",
      fix: expect.stringContaining("run the same command again") as string,
    });
  });
});
