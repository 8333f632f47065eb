import * as fs from "node:fs";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import program from "../../../index";
import { claimStack } from "../../../infra/stack/claim";
import { stores } from "../../../infra/stores";
import { executorOf, targets } from "../../../infra/targets";
import { readSettings } from "../../../infra/targets/readSettings";
import { defaultConfig, largeMachine } from "../../defaults";
import { freshHome } from "../cli/home";
import { otherNames, record } from "../local/recorded";
import { acme } from "./toy/stores/acme";
import { bare } from "./toy/targets/bare";

const loaded = vi.hoisted(() => ({ aws: false }));
vi.mock("@pulumi/aws/iam/role", () => {
  loaded.aws = true;
  return { Role: class {} };
});

freshHome();
const added = { target: "bare", objectStore: "acme", engines: '["daft","polars"]' };
const encrypted = ["engine-comparison:s3AccessKey", "engine-comparison:s3SecretKey"];
const config = defaultConfig({ ...added, s3AccessKey: "key", s3SecretKey: "hidden" });

// What docs/adding-a-target.md does in the two registries.
beforeAll(() => void (targets.push(bare), stores.push(acme)));
afterAll(() => void (targets.pop(), stores.pop()));

it("the program deploys a target and a store that were added by a folder and a name", async () => {
  let outputs: Record<string, unknown> = {};
  const all = await record(
    "toy",
    async () => {
      pulumi.runtime.setAllConfig(config, encrypted);
      outputs = await program();
    },
    (name) => (name === "credentials" ? '{"generations":{"s3":2}}' : '{"key":"k"}'),
  );
  expect(outputs).toMatchObject({
    minioEndpoint: "https://s3.acme.example",
    buckets: { lake: "lake", output: "output" },
  });
  expect(otherNames(all)).toEqual([]);
  const commands = all.filter(({ type }) => type === "command:local:Command");
  const names = commands.map(({ name }) => name);
  for (const name of ["toolchain-python", "object-store", "buckets-lake", "polars/taxi-report"]) {
    expect(names).toContain(name);
  }
  expect(names.filter((name) => /^(spark|ray)/.test(name))).toEqual([]);
  const store = commands.find(({ name }) => name === "object-store")!;
  expect(JSON.parse(store.inputs.environment.SPEC)).toMatchObject({ store: "acme", keys: 2 });
});

it("the classes of AWS are loaded for a store at AWS alone", async () => {
  expect(loaded.aws).toBe(false);
  await import("../../../infra/stores/aws/store");
  expect(loaded.aws).toBe(true);
});

it("their rules are asked, and an engine that they do not start is refused", async () => {
  const refusal = (more: Record<string, string>) => () =>
    readSettings(defaultConfig({ ...added, ...more }), largeMachine);
  expect(refusal({})).toThrow("engine-comparison:s3AccessKey is not set");
  expect(refusal({ objectStore: "minio" })).toThrow("engine-comparison:objectStore is minio");
  const keys = { s3AccessKey: "key", s3SecretKey: "hidden" };
  pulumi.runtime.setAllConfig(
    defaultConfig({ ...added, ...keys, engines: '["spark"]' }),
    encrypted,
  );
  await expect(program()).rejects.toThrow("target bare starts no engine");
});

it("jobs of such a stack are started by the added target", async () => {
  claimStack("toy", "bare");
  expect(await executorOf("toy")).not.toHaveProperty("watch");
});

it("docs/adding-a-target.md shows their code", () => {
  const page = fs.readFileSync(path.join(__dirname, "../../../docs/adding-a-target.md"), "utf8");
  const shown = [
    ...page.matchAll(/^`infra\/(targets|stores)\/([\w/.]+)`:\n\n```ts\n(.*?)^```$/gms),
  ];
  expect(shown.map(([, room, file]) => `${room}/${file}`)).toEqual([
    "targets/bare/index.ts",
    "targets/bare/platform.ts",
    "stores/acme/index.ts",
    "stores/acme/store.ts",
  ]);
  for (const [, room, file, code] of shown) {
    const text = fs.readFileSync(path.join(__dirname, "toy", room, file), "utf8");
    const there = text.replace(/"(?:\.\.\/)+infra\/(\w+)/g, (_all, other: string) =>
      other === room ? '"..' : `"../../${other}`,
    );
    expect(code, file).toBe(there);
  }
});
