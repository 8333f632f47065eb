import * as fs from "node:fs";
import * as path from "node:path";
import { expect, it, vi } from "vitest";
import type { Runner } from "../../../cli/runners/runner";
import { explain } from "../../../cli/verbs/explain";
import { freshHome } from "./home";

const home = freshHome();
const run = "polars/taxi-report";

/** The program runs in the CLI's process: nothing of AWS is loaded, or asked, in this one. */
vi.mock("@pulumi/aws/getCallerIdentity", () => ({ getCallerIdentity: unexpected }));
vi.mock("@pulumi/aws/getRegion", () => ({ getRegion: unexpected }));
vi.mock(import("../../../cli/runners/pulumiRunner"), () => ({
  makeRunner: async () => ({ name: "pulumi", preview }) as unknown as Runner,
}));

function unexpected(): never {
  throw new Error("AWS was asked outside the program");
}

/** What the Pulumi CLI tells of a program on AWS. */
const preview: Runner["preview"] = async (onEvent) => {
  const inputs = { triggers: [{ fareAbove: "40" }], environment: { SPEC: "{}" } };
  const common = { urn: `urn::${run}`, name: run, type: "command:local:Command", diff: [] };
  onEvent({ ...common, kind: "done", op: "create", inputs });
  return { ok: true, changes: {}, errors: [], outputs: {} };
};

it("a run on AWS is explained by the runner's preview alone", async () => {
  const folder = path.join(home(), "local");
  fs.mkdirSync(folder);
  fs.writeFileSync(
    path.join(folder, "Pulumi.local.yaml"),
    "config:\n  engine-comparison:objectStore: aws\n  aws:region: eu-central-1\n",
  );
  const bin = path.join(home(), "bin");
  fs.mkdirSync(bin);
  fs.writeFileSync(path.join(bin, "pulumi"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  vi.stubEnv("PATH", `${bin}:${process.env.PATH}`);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  try {
    const options = { json: true };
    expect(await explain.run({ stack: "local", positionals: [run], options })).toBe(0);
    const printed = JSON.parse(String(log.mock.calls[0][0])) as object;
    expect(printed).toMatchObject({ inputs: { fareAbove: { old: null, now: "40" } } });
  } finally {
    log.mockRestore();
    vi.unstubAllEnvs();
  }
});
