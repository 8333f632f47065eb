import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { executor } from "../../../infra/targets/cluster/executor";
import { checkout } from "../../../infra/host/folders";
import { writeStepRecord } from "../../../infra/stack/records";

const stack = "far";
const variables = ["ENGINE_COMPARISON_HOME", "ENGINE_COMPARISON_CACHE"];
let folder: string;

beforeEach(() => {
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "executor-test-")));
  for (const variable of variables) process.env[variable] = path.join(folder, variable);
});
afterEach(() => {
  for (const variable of variables) delete process.env[variable];
  fs.rmSync(folder, { recursive: true });
});

/** Stands a tool of the stack up. @returns its folder */
function install(tool: string): string {
  const entry = `${tool}/1`;
  const place = path.join(process.env.ENGINE_COMPARISON_CACHE!, entry);
  fs.mkdirSync(place, { recursive: true });
  fs.writeFileSync(path.join(place, ".complete"), "");
  writeStepRecord(stack, tool, { generation: "1", result: { entry } });
  return place;
}

/** Where a job starts, as a Python that only tells that says it. */
async function startsIn(): Promise<string> {
  const job = executor(stack).start("none", true);
  return (await text(job.stdout)).trim();
}

it("jobs start while there is no model yet, and in its folder when there is one", async () => {
  const bin = path.join(install("python"), "bin");
  fs.mkdirSync(bin);
  fs.writeFileSync(path.join(bin, "python"), "#!/bin/sh\npwd\n", { mode: 0o755 });
  expect(await startsIn()).toBe(checkout);
  const model = install("model");
  expect(await startsIn()).toBe(model);
});
