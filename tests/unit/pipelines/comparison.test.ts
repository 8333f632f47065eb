import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, describe, expect, it } from "vitest";
import type { Platform } from "../../../infra/platform";
import { parseSettings } from "../../../infra/settings";
import { Buckets } from "../../../infra/storage/buckets";
import { Comparison } from "../../../pipelines/comparison";
import { chosenRuns } from "../../../pipelines/matrix";
import { Report } from "../../../pipelines/report";
import { defaultConfig, largeMachine } from "../../defaults";

const home = fs.mkdtempSync(path.join(os.tmpdir(), "comparison-"));
process.env.ENGINE_COMPARISON_HOME = home;
afterAll(() => fs.rmSync(home, { recursive: true }));

interface Inputs {
  readonly triggers?: unknown;
  readonly environment: { readonly SPEC: string };
}

/** What each Command after the platform is given, by its name. */
async function commands(changed: Record<string, string> = {}): Promise<Record<string, Inputs>> {
  const made: Record<string, Inputs> = {};
  await pulumi.runtime.setMocks(
    {
      newResource({ name, type, inputs }) {
        if (type !== "command:local:Command") return { id: name, state: {} };
        const { triggers, environment } = inputs as Inputs;
        made[name] = { triggers, environment };
        const { key } = JSON.parse(environment.SPEC) as { key?: string };
        return { id: name, state: { ...(inputs as object), stdout: JSON.stringify({ key }) } };
      },
      call: () => ({}),
    },
    "engine-comparison",
    "test",
  );
  const settings = parseSettings(defaultConfig(changed), largeMachine);
  await pulumi.runtime.runInPulumiStack(async () => {
    const stands = new pulumi.ComponentResource("test:Platform", "platform");
    const platform: Platform = {
      objectStore: { endpoint: "", consoleUrl: "", marker: "1", ready: stands, data: stands },
      sparkUiUrl: "",
      rayDashboardUrl: "",
      device: "cpu",
      python: stands,
      quiet: [stands],
      environment: "environment",
      model: "model",
    };
    const buckets = new Buckets("buckets", { objectStore: platform.objectStore });
    const chosen = chosenRuns(settings);
    const shared = { platform, buckets, stack: "test" };
    const { runs } = new Comparison("comparison", { ...shared, chosen, settings });
    new Report("report", { ...shared, runs });
  });
  await pulumi.runtime.disconnect();
  return made;
}

const engines = ["spark", "ray", "daft", "baseline"];
const of = (workload: string) => engines.map((engine) => `${engine}/${workload}`);

describe("of the full matrix, a changed setting", () => {
  it.each([
    ["batchSize", "16", [...of("image-predictions"), ...of("image-embeddings")]],
    ["fareAbove", "31", [...of("taxi-report"), "oracle-taxi-report"]],
  ])("%s redoes what uses it and the report, nothing else", async (key, value, redone) => {
    const before = await commands();
    const after = await commands({ [key]: value });
    expect(Object.keys(after).sort()).toEqual(Object.keys(before).sort());
    expect(Object.keys(before).filter((name) => name.includes("/"))).toHaveLength(12);
    const differing = Object.keys(before).filter(
      (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
    );
    expect(differing.sort()).toEqual([...redone, "report-page"].sort());
  });
});
