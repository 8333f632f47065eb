import * as fs from "node:fs";
import * as path from "node:path";
import { expect, it } from "vitest";
import { check, npm, type Check, type Patient } from "../../../cli/doctor/check";
import { checks } from "../../../cli/doctor/checks";
import { examine } from "../../../cli/doctor/examine";
import { readSettings } from "../../../infra/targets/readSettings";
import { UserError } from "../../../infra/contracts/errors";
import { defaultConfig, largeMachine } from "../../defaults";

const patient: Patient = {
  stack: "one",
  settings: readSettings(defaultConfig({ target: "local" }), largeMachine),
  stands: false,
  services: [],
  runs: [],
};

const wrong = new UserError("it is red", "it should be blue", "paint it");

async function examined(all: readonly Check[]): Promise<[string, string][]> {
  const said: [string, string][] = [];
  for await (const { check, errors, skippedFor } of examine(patient, all)) {
    said.push([check.id, skippedFor ?? errors.map(({ what }) => what).join()]);
  }
  return said;
}

it("docs/troubleshooting.md has a row for each check, in the same order", () => {
  const page = fs.readFileSync(path.join(__dirname, "../../../docs/troubleshooting.md"), "utf8");
  const [, table] = page.split("## What doctor checks");
  const rows = table
    .split("\n## ")[0]
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").map((cell) => cell.trim()));
  expect(rows.map(([, id]) => id)).toEqual(checks.map(({ id }) => `\`${id}\``));
  for (const [, id, symptom, cause, cure] of rows) {
    for (const cell of [symptom, cause, cure]) expect(cell, id).not.toBe("");
  }
});

it("each check has a name of its own, and comes after those that it waits for", () => {
  const ids = checks.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { id, after = [] } of checks) {
    for (const other of after) {
      expect(ids.slice(0, ids.indexOf(id)), `${id} after ${other}`).toContain(other);
    }
  }
});

it("tells a cause, not its effects", async () => {
  const ill = check({ id: "ill", name: "it is blue", observe: () => "red", judge: () => [wrong] });
  const effect: Check = { ...ill, id: "effect", after: ["other", "ill"] };
  expect(await examined([ill, effect, { ...ill, id: "other", after: ["effect"] }])).toEqual([
    ["ill", "it is red"],
    ["effect", "ill"],
    ["other", "it is red"],
  ]);
});

it("leaves out what does not apply", async () => {
  const ill: Check = { id: "ill", name: "", look: async () => [wrong] };
  expect(await examined([{ ...ill, applies: () => false }])).toEqual([]);
});

it("looks on target cluster at what is the stack's or this machine's, and at no service", () => {
  const cluster = {
    target: "cluster",
    objectStore: "s3",
    s3Endpoint: "https://store.test",
    s3AccessKey: "somebody",
    s3SecretKey: "something",
    rayAddress: "http://head.test:8265",
  };
  const settings = readSettings(defaultConfig(cluster), largeMachine);
  const standing = { ...patient, settings, stands: true };
  expect(checks.filter(({ applies }) => applies?.(standing) ?? true).map(({ id }) => id)).toEqual([
    ...["wsl", "folders", "jdk", "python", "disk", "memory", "preflight"],
    ...["environment", "store", "data", "runs"],
  ]);
});

it("goes on after a check that throws, whatever it throws", async () => {
  const throwing = (id: string, error: Error): Check => ({
    id,
    name: "it is blue",
    look: () => Promise.reject(error),
  });
  expect(
    await examined([throwing("one", wrong), throwing("two", new Error("no such colour\nat x"))]),
  ).toEqual([
    ["one", "it is red"],
    ["two", "two could not be looked at: no such colour"],
  ]);
});

it("names the stack in the commands that it advises", () => {
  expect(npm("local", "start")).toBe("npm start");
  expect(npm("dev", "logs", "minio")).toBe("npm run logs -- minio --stack dev");
});
