import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Credentials } from "../../../infra/stack/credentials";
import { givenCredentials } from "../../../infra/stack/step";

const nothing = { minioRootUser: undefined, minioRootPassword: undefined };

describe("credentials that a stack is given", () => {
  it.each(["local", "dev"])("are the well-known ones on stack %s", (stack) => {
    expect(givenCredentials(nothing, stack)).toEqual({
      minioRootUser: "minioadmin",
      minioRootPassword: "minioadmin",
    });
  });

  it("are random on any other stack, unless they are set", () => {
    expect(givenCredentials(nothing, "prod")).toEqual(nothing);
    const set = { minioRootUser: "me", minioRootPassword: "secret-enough" };
    expect(givenCredentials(set, "prod")).toEqual(set);
  });
});

describe("the credentials step", () => {
  let home: string;
  beforeEach(() => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), "ec-test-"));
  });
  afterEach(() => fs.rmSync(home, { recursive: true }));

  const file = (name: string) => path.join(home, "prod", name);
  const read = () => JSON.parse(fs.readFileSync(file("credentials.json"), "utf8")) as Credentials;

  function step(verb: string, stdin: object) {
    const done = spawnSync("node", ["--require", "tsx/cjs", "steps.mjs", "credentials", verb], {
      cwd: path.resolve(__dirname, "../../.."),
      input: JSON.stringify(stdin),
      encoding: "utf8",
      env: {
        PATH: process.env.PATH,
        ENGINE_COMPARISON_HOME: home,
        ENGINE_COMPARISON_STACK: "prod",
        STEP: "credentials",
        SPEC: '{"generation":"1"}',
      },
    });
    expect(done.stderr).toBe("");
    return done.stdout;
  }

  const told = (minio: number, spark: number, ray: number) =>
    `${JSON.stringify({ generations: { minio, spark, ray } })}\n`;

  it("makes random ones once, keeps them, and counts each change without telling them", () => {
    expect(step("create", {})).toBe(told(1, 1, 1));
    const first = read();
    expect(first.minioRootPassword).toMatch(/^[0-9a-f]{40}$/);
    expect(fs.readFileSync(file("ray-token"), "utf8")).toBe(first.rayToken);
    expect(fs.readFileSync(file("spark-secret"), "utf8")).toBe(first.sparkSecret);
    for (const name of ["credentials.json", "ray-token", "spark-secret"]) {
      expect(fs.statSync(file(name)).mode & 0o777, name).toBe(0o600);
    }
    expect(fs.statSync(path.join(home, "prod")).mode & 0o777).toBe(0o700);

    expect(step("update", {})).toBe(told(1, 1, 1));
    expect(read()).toEqual(first);

    expect(step("update", { minioRootPassword: "chosen-by-hand" })).toBe(told(2, 1, 1));
    expect(read()).toEqual({
      ...first,
      minioRootPassword: "chosen-by-hand",
      generations: { minio: 2, spark: 1, ray: 1 },
    });
  });

  it("keeps the keys of a store that is not the stack's own, and counts their changes", () => {
    const keys = { s3AccessKey: "somebody", s3SecretKey: "one" };
    const generations = (line: string) =>
      (JSON.parse(line) as { generations: Record<string, number> }).generations;
    expect(generations(step("create", keys)).s3).toBe(1);
    expect(read()).toMatchObject(keys);
    expect(generations(step("update", { ...keys, s3SecretKey: "two" }))).toMatchObject({
      s3: 2,
      minio: 1,
    });
    expect(read().s3SecretKey).toBe("two");
  });

  it("never counts backwards when the file was lost", () => {
    step("create", {});
    step("update", { minioRootPassword: "chosen-by-hand" });
    fs.rmSync(file("credentials.json"));
    expect(step("update", {})).toBe(told(3, 2, 2));
  });

  it("deletes again and again", () => {
    step("create", {});
    step("delete", {});
    step("delete", {});
    expect(fs.readdirSync(file(""), { recursive: true })).toEqual(["records"]);
  });
});
