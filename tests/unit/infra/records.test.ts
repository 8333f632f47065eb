import * as fs from "node:fs";
import * as path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it, vi } from "vitest";
import { generation, readStepRecord, writeStepRecord } from "../../../infra/stack/records";
import { claimStack } from "../../../infra/stack/claim";
import { declareStack, step } from "../../../infra/stack/step";
import { freshHome } from "../cli/home";
import { record } from "../local/recorded";

const home = freshHome();
const alive = () => true;

describe("a record", () => {
  it("keeps its generation while the thing is alive; the next one says why there is one", () => {
    expect(generation("local", "minio", alive)).toBe("1");
    writeStepRecord("local", "minio", { generation: "3", result: {} });
    expect(generation("local", "minio", alive)).toBe("3");
    expect(generation("local", "minio", () => false, "stopped")).toBe("4, after it stopped");
    writeStepRecord("local", "minio", { generation: "4, after it stopped", result: {} });
    expect(generation("local", "minio", alive)).toBe("4, after it stopped");
    expect(generation("local", "minio", () => false)).toBe("5, after it was removed");
  });

  it.each(["", "null", '{"generation":"1","resu', "[]", '{"generation":1,"result":{}}'])(
    "that is broken (%j) counts as missing",
    (text) => {
      writeStepRecord("local", "minio", { generation: "1", result: {} });
      fs.writeFileSync(path.join(home(), "local", "records", "minio.json"), text);
      expect(readStepRecord("local", "minio")).toBeUndefined();
      expect(generation("local", "minio", alive)).toBe("1");
    },
  );

  it("that vanished is written again from what the state knows", async () => {
    const id = claimStack("prod", "local");
    const declare = () => {
      declareStack(id);
      step("minio", { kind: "local-service", spec: { generation: "1" } }, {});
      step("bucket-lake", { kind: "minio-bucket", spec: { bucket: "lake" } }, {});
    };
    await record("prod", declare, () => '{"endpoint":"http://127.0.0.1:9000"}');
    await vi.waitFor(() =>
      expect(readStepRecord("prod", "minio")).toEqual({
        generation: "1",
        result: { endpoint: "http://127.0.0.1:9000" },
      }),
    );
    expect(fs.readdirSync(path.join(home(), "prod", "records"))).toEqual(["minio.json"]);
    writeStepRecord("prod", "minio", { generation: "1", result: { newer: true } });
    await record("prod", declare, () => '{"endpoint":"http://127.0.0.1:9000"}');
    expect(readStepRecord("prod", "minio")?.result).toEqual({ newer: true });
  });
});

describe("the stack's first resource", () => {
  it("has the id, and every other step waits for it: it is deleted last", async () => {
    const id = claimStack("prod", "local");
    let known: pulumi.Output<string> | undefined;
    const all = await record("prod", () => {
      known = declareStack(id);
      step("minio", { kind: "local-service", spec: {} }, {});
    });
    const first = all.find(({ name }) => name === "stack")!;
    expect(JSON.parse(first.inputs.environment.SPEC)).toEqual({ id });
    expect(all.find(({ name }) => name === "minio")?.dependencies).toEqual([first.urn]);
    expect(await new Promise((resolve) => known!.apply(resolve))).toBe(id);
  });
});
