import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, it, vi } from "vitest";
import { allChecks } from "../../../cli/checks";
import { look } from "../../../cli/verbs/doctor";
import { contextOf, examine, preflight, type Check } from "../../../infra/contracts/check";
import { npm, UserError } from "../../../infra/contracts/errors";
import { cacheFolder, stackFolder } from "../../../infra/host/folders";
import { readSettings } from "../../../infra/targets/readSettings";
import { defaultConfig, largeMachine } from "../../defaults";

type Plain = Check<string>;

const wrong = new UserError("it is red", "it should be blue", "paint it");
const failing: Plain = {
  id: "failing",
  name: "it is blue",
  blocks: true,
  observe: () => "red",
  judge: () => [wrong],
};
const targets = ["local", "docker", "cluster"] as const;

const subject = <Settings>(settings: Settings, deployed = false) =>
  contextOf({ stack: "one", settings, id: undefined, deployed });

async function examined(all: readonly Plain[]): Promise<[string, string][]> {
  const said: [string, string][] = [];
  for await (const { check, errors, skippedFor } of examine(subject(""), all)) {
    said.push([check.id, skippedFor ?? errors.map(({ what }) => what).join()]);
  }
  return said;
}

it("docs/troubleshooting.md has a row for each check, in the same order", async () => {
  const page = fs.readFileSync(path.join(__dirname, "../../../docs/troubleshooting.md"), "utf8");
  const [, table] = page.split("## What doctor checks");
  const rows = table
    .split("\n## ")[0]
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").map((cell) => cell.trim()));
  const known = new Set<string>();
  for (const target of targets) {
    const ids = (await allChecks(target)).map(({ id }) => `\`${id}\``);
    expect(rows.map(([, id]) => id).filter((id) => ids.includes(id))).toEqual(ids);
    ids.forEach((id) => known.add(id));
  }
  expect(rows.map(([, id]) => id).filter((id) => !known.has(id))).toEqual([]);
  for (const [, id, symptom, cause, fix] of rows) {
    for (const cell of [symptom, cause, fix]) expect(cell, id).not.toBe("");
  }
});

it.each(targets)("each check of %s has its own name, after those it waits for", async (target) => {
  const checks = await allChecks(target);
  const ids = checks.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { id, after = [] } of checks) {
    for (const other of after.filter((other) => ids.includes(other))) {
      expect(ids.slice(0, ids.indexOf(id)), `${id} after ${other}`).toContain(other);
    }
  }
});

it("shows a cause, not its effects", async () => {
  const effect = { ...failing, id: "effect", after: ["other", "failing"] };
  expect(await examined([failing, effect, { ...failing, id: "other", after: ["effect"] }])).toEqual(
    [
      ["failing", "it is red"],
      ["effect", "failing"],
      ["other", "it is red"],
    ],
  );
});

it("leaves out what does not apply", async () => {
  expect(await examined([{ ...failing, applies: () => false }])).toEqual([]);
});

it("looks once at what several checks need", async () => {
  let looks = 0;
  const gather = () => ++looks;
  const one: Plain = { ...failing, observe: ({ facts }) => facts(gather) };
  await examined([one, { ...one, id: "two" }]);
  expect(looks).toBe(1);
});

describe("a deployment", () => {
  const check = (id: string, more: Partial<Plain> = {}): Plain => ({
    ...failing,
    id,
    judge: () => [new UserError(id, "why", "fix")],
    ...more,
  });
  const begin = (...all: Plain[]) => preflight(subject(""), all);

  it("stops with all that blocks it at once", async () => {
    await expect(begin(check("first"), check("second"))).rejects.toThrow(/first\n +second/);
  });

  it("does not look at what does not block it, or guards what exists", async () => {
    const observe = vi.fn();
    await begin(
      check("never", { blocks: false, observe }),
      check("exists", { blocks: async () => false, observe }),
    );
    expect(observe).not.toHaveBeenCalled();
    await expect(begin(check("missing", { blocks: async () => true }))).rejects.toThrow("missing");
  });

  it("keeps the trace of a check that is broken", async () => {
    const bug = new TypeError("no such colour");
    await expect(begin(check("one", { observe: () => Promise.reject(bug) }))).rejects.toBe(bug);
  });
});

it("looks on target cluster at what is the stack's or this machine's, and at no service", async () => {
  const settings = readSettings(
    defaultConfig({
      target: "cluster",
      objectStore: "s3",
      s3Endpoint: "https://store.test",
      s3AccessKey: "somebody",
      s3SecretKey: "something",
      rayAddress: "http://head.test:8265",
    }),
    largeMachine,
  );
  const context = subject(settings, true);
  const checks = (await allChecks("cluster")).filter(({ applies }) => applies?.(context) ?? true);
  expect(checks.map(({ id }) => id)).toEqual([
    ...["platform", "untried", "user", "wsl", "folders", "mounts"],
    ...["jdk", "python", "proxy", "disk", "memory", "model"],
    ...["environment", "store-access", "store", "spark", "ray", "data", "runs"],
  ]);
});

it("asks every disk that is written to, that of /tmp, too", async () => {
  const settings = readSettings(defaultConfig({ target: "local", gpu: "off" }), largeMachine);
  const disk = (await allChecks("local")).find(({ id }) => id === "disk");
  const seen = (await disk!.observe(subject(settings))) as { folder: string }[];
  expect(seen.map(({ folder }) => folder)).toEqual([
    ...[cacheFolder(), stackFolder("one"), "/tmp"],
  ]);
});

it("goes on after a check that throws, whatever it throws", async () => {
  const settings = readSettings(defaultConfig({ target: "local" }), largeMachine);
  const check = { id: "one", name: "it is blue", blocks: false, judge: () => [] };
  const run = (error: Error) =>
    look({ ...check, observe: () => Promise.reject(error) }, subject(settings));
  expect(await run(wrong)).toEqual([wrong]);
  const [{ what }] = await run(new Error("no such colour\nat x"));
  expect(what).toBe("the check one failed: no such colour");
});

it("names the stack in the commands that it advises", () => {
  expect(npm("local", "start")).toBe("npm start");
  expect(npm("dev", "logs", "minio")).toBe("npm run logs -- minio --stack dev");
});
