import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { recordLoss, writeStepRecord } from "../../../infra/stack/records";
import { isConfirmed, readInputs, writeInputs } from "../../../results/records";
import { quickRuns } from "../../defaults";
import { commands } from "./commands";

const home = fs.mkdtempSync(path.join(os.tmpdir(), "comparison-"));
process.env.ENGINE_COMPARISON_HOME = home;
afterAll(() => fs.rmSync(home, { recursive: true }));

const of = quickRuns;

describe("of the full matrix, a changed setting", () => {
  it.each([
    ["batchSize", "16", [...of("image-predictions"), ...of("image-embeddings")]],
    ["fareAbove", "31", [...of("taxi-report"), "oracle-taxi-report"]],
  ])("%s redoes what uses it and the report, nothing else", async (key, value, redone) => {
    const before = await commands();
    const after = await commands({ [key]: value });
    expect(Object.keys(after).sort()).toEqual(Object.keys(before).sort());
    expect(Object.values(before).filter(({ triggers }) => triggers)).toHaveLength(12 + 3);
    const differing = Object.keys(before).filter(
      (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
    );
    expect(differing.sort()).toEqual([...redone, "report-page"].sort());
  });
});

it("a changed setting is told once by each run that it redoes", async () => {
  const [before, after] = [await commands(), await commands({ fareAbove: "31" })];
  for (const run of [...of("taxi-report"), "oracle-taxi-report"]) {
    const told = flat(after[run]).filter((value) => !flat(before[run]).includes(value));
    expect(told, run).toEqual(["triggers.0.fareAbove: 31"]);
  }
});

it("a deployment hands each script its inputs, and a preview does not", async () => {
  await commands({}, { preview: true, stack: "new" });
  expect(readInputs("new", "spark/taxi-report")).toBeUndefined();
  const made = await commands({}, { stack: "new" });
  for (const name of ["spark/taxi-report", "oracle-taxi-report"]) {
    expect(readInputs("new", name)).toEqual(made[name].triggers![0]);
  }
});

/** Each value of a Command with its path; that of its SPEC, too. */
function flat(value: unknown, at = ""): string[] {
  if (typeof value === "string" && value.startsWith("{")) return flat(JSON.parse(value), at);
  if (value === null || typeof value !== "object") return [`${at}: ${String(value)}`];
  return Object.entries(value).flatMap(([key, one]) => flat(one, at ? `${at}.${key}` : key));
}

it("a run whose deployment was killed looks whether its result is still the published one", async () => {
  const run = "daft/taxi-report";
  const before = await commands();
  for (const name of of("taxi-report")) {
    writeStepRecord("test", name, { generation: "1", result: {} });
    await vi.waitFor(() => expect(isConfirmed("test", name)).toBe(true));
  }
  expect(await commands()).toEqual(before);
  await vi.waitFor(() => expect(isConfirmed("test", run)).toBe(true));
  writeInputs("test", run, { fareAbove: "of a setting that was changed back" });
  const after = await commands({}, { preview: true });
  const differing = Object.keys(before).filter(
    (name) => after[name] && JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
  expect(differing).toEqual([run]);
});

it("an upload and a bucket that were found lost are made again, and nothing else", async () => {
  const lost = { "taxi-upload": "taxi-upload", "buckets-lake": "bucket-lake" };
  const records = Object.values(lost);
  const before = await commands({}, { stack: "lost" });
  for (const name of [...records, "photos-upload"]) {
    writeStepRecord("lost", name, { generation: "1", result: {} });
  }
  expect(await commands({}, { stack: "lost" })).toEqual(before);
  for (const name of records) recordLoss("lost", name);
  const after = await commands({}, { stack: "lost" });
  const differing = Object.keys(before).filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
  expect(differing.sort()).toEqual(Object.keys(lost).sort());
  expect(flat(after["taxi-upload"])).toContain(
    "environment.SPEC.generation: 2, after it lost objects",
  );
});
