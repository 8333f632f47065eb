import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { stackFiles } from "../../../infra/stack/files";
import { writeStepRecord } from "../../../infra/stack/records";
import { Report, type ReportArgs } from "../../../pipelines/comparison";
import { reportUrl } from "../../../results/records";
import type { RunSummary } from "../../../results/result";

const home = fs.mkdtempSync(path.join(os.tmpdir(), "report-resource-"));
process.env.ENGINE_COMPARISON_HOME = home;
afterAll(() => fs.rmSync(home, { recursive: true }));

let made: { name: string; inputs: { environment: { SPEC: string }; triggers?: unknown } }[];
beforeEach(async () => {
  made = [];
  await pulumi.runtime.setMocks(
    {
      newResource({ name, inputs }) {
        made.push({ name, inputs: inputs as (typeof made)[number]["inputs"] });
        return { id: name, state: { ...(inputs as object), stdout: "{}" } };
      },
      call: () => ({}),
    },
    "engine-comparison",
    "test",
  );
});

const summary: RunSummary = {
  key: "0123456789abcdef",
  status: "verified",
  verified: true,
  device: "cpu",
  outputUri: "s3://warehouse/report/",
  rows: 9,
  rejected: 0,
  checksum: "c",
  oneShotSeconds: 2.5,
  medianSeconds: 1.5,
  state: "steady",
  samples: [2, 1.5],
};

/** The page's spec when the program runs with these outcomes. */
async function specFor(runs: Readonly<Record<string, RunSummary>>): Promise<unknown> {
  const report = new Report("report", {
    runs: Object.fromEntries(Object.entries(runs).map(([run, one]) => [run, pulumi.output(one)])),
    platform: { objectStore: { dataId: "1" } },
    buckets: { all: [], names: { output: "output" } },
    stack: "test",
  } as unknown as ReportArgs);
  const url = await new Promise((resolve) => report.url.apply(resolve));
  expect(url).toBe(reportUrl("test"));
  const page = made.filter(({ name }) => name === "report-page").at(-1)!;
  expect(page.inputs.triggers).toBeUndefined();
  return JSON.parse(page.inputs.environment.SPEC);
}

describe("the report's resource", () => {
  const both = { "spark/taxi-report": summary, "daft/taxi-report": summary };

  it("stays as it is while no run's key or outcome changes", async () => {
    expect(await specFor(both)).toEqual(await specFor({ ...both }));
  });

  it.each([
    ["key", { key: "f".repeat(16) }],
    ["outcome", { samples: [2, 1.6], medianSeconds: 1.6 }],
  ])("is made again when a run's %s changes", async (_what, change) => {
    const changed = { ...both, "daft/taxi-report": { ...summary, ...change } };
    expect(await specFor(changed)).not.toEqual(await specFor(both));
  });

  it("is made again when a run comes or goes", async () => {
    expect(await specFor({ "spark/taxi-report": summary })).not.toEqual(await specFor(both));
  });

  it("is made again when its page was lost, and only then", async () => {
    const before = await specFor(both);
    writeStepRecord("test", "report-page", { generation: "1", result: {} });
    expect(await specFor(both)).toEqual({
      ...(before as object),
      generation: "2, after it was removed",
    });
    fs.mkdirSync(path.dirname(stackFiles("test").report), { recursive: true });
    fs.writeFileSync(stackFiles("test").report, "page");
    expect(await specFor(both)).toEqual(before);
  });
});
