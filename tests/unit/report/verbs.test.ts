import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { checkout } from "../../../infra/host/folders";
import { freeOffset } from "../../e2e/stack";
import { failedLine, resultLine } from "./lines";

/** Each starts the command line anew, which takes seconds on a busy machine. */
vi.setConfig({ testTimeout: 120_000 });

const home = fs.mkdtempSync(path.join(os.tmpdir(), "explain-"));
afterAll(() => fs.rmSync(home, { recursive: true }));

function run(...args: readonly string[]) {
  return spawnSync(process.execPath, ["cli/main.mjs", ...args], {
    cwd: checkout,
    encoding: "utf8",
    env: { ...process.env, ENGINE_COMPARISON_HOME: home },
  });
}

interface Explained {
  readonly key: { readonly old: string; readonly now: string };
  readonly inputs: Readonly<Record<string, { old: string | null; now: string | null }>>;
  readonly changed: readonly string[];
  readonly command: string;
}

describe("npm run explain", () => {
  const spark = "spark/taxi-report";
  const history = path.join(home, "local", "history", "results.jsonl");
  fs.mkdirSync(path.dirname(history), { recursive: true });
  // The ports of the default may be another stack's.
  const settings = `config:\n  engine-comparison:portOffset: ${freeOffset(20_500)}\n`;
  fs.writeFileSync(path.join(home, "local", "Pulumi.local.yaml"), settings);
  const recorded = resultLine(spark, { attempt: "1", inputs: { fareAbove: "25" } });
  fs.writeFileSync(history, `${recorded}\n${failedLine("ray/image-predictions", {})}\n`);

  it("compares the recorded inputs with those that the program has now", () => {
    const { status, stdout, stderr } = run("explain", "--json", spark);
    expect(status, stderr).toBe(0);
    const explained = JSON.parse(stdout) as Explained;
    expect(explained.inputs.fareAbove).toEqual({ old: "25", now: "30" });
    expect(explained.inputs.engineCode.now).toMatch(/^[0-9a-f]{16}$/);
    expect(explained.changed).toContain("fareAbove");
    expect(explained.changed).not.toContain("maxSamples");
    expect(explained.key.now).toMatch(/^[0-9a-f]{16}$/);
    expect(explained.key.now).not.toBe(explained.key.old);
    expect(explained.command).toBe("npm run rerun -- spark/taxi-report");
  });

  it("names the runs there are when asked for another", () => {
    const { status, stderr } = run("explain", "spark/nothing");
    expect(status).toBe(2);
    expect(stderr).toContain(spark);
  });
});

describe("npm run results and compare", () => {
  it("read the same history", () => {
    const listed = run("results", "--json");
    expect(listed.status, listed.stderr).toBe(0);
    expect((JSON.parse(listed.stdout) as unknown[]).length).toBe(2);
    const compared = run("compare", "1", "2026-11-22");
    expect(compared.status, compared.stderr).toBe(0);
    expect(compared.stdout).toContain("within noise");
    const wrong = run("compare", "1", "2");
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toContain("is no attempt, date or commit");
  });
});

describe("npm run report", () => {
  it("says that there is no stack yet", () => {
    const { status, stderr } = run("report");
    expect(status).toBe(1);
    expect(stderr).toContain("stack local is not deployed");
  });
});
