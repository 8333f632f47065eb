import * as fs from "node:fs";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { claimStack } from "../../../infra/stack/claim";
import { stackFolder } from "../../../infra/host/folders";
import { stores } from "../../../infra/stores";
import { executorOf, targetOf, targets } from "../../../infra/targets";
import { readSettings } from "../../../infra/targets/readSettings";
import { defaultConfig, largeMachine } from "../../defaults";
import { freshHome } from "../cli/home";

freshHome();
const checkout = path.join(__dirname, "..", "..", "..");

describe("the registries of targets and stores", () => {
  it("have a page for each of their parts", () => {
    for (const { docs } of [...targets, ...stores]) {
      expect(fs.existsSync(path.join(checkout, docs)), docs).toBe(true);
    }
  });

  it.each([
    ["target", "kubernetes", "local, docker, cluster"],
    ["objectStore", "gcs", "auto, minio, s3, aws"],
  ])("are named where %s is unknown", (key, value, names) => {
    const read = () => readSettings(defaultConfig({ [key]: value }), largeMachine);
    expect(read).toThrow(`engine-comparison:${key} is "${value}": it must be one of ${names}`);
  });

  it("resolve what is auto", () => {
    const auto = (target: string, more = {}) => {
      const all = { objectStore: "auto", daftRunner: "auto", gpu: "off", target, ...more };
      const { objectStore, daftRunner } = readSettings(defaultConfig(all), largeMachine);
      return [objectStore, daftRunner];
    };
    expect(auto("local")).toEqual(["minio", "native"]);
    expect(auto("docker")).toEqual(["minio", "ray"]);
    expect(auto("cluster")).toEqual(["aws", "ray"]);
  });
});

describe("a stack's target", () => {
  const search = process.env.PATH;
  let bin: string;
  beforeEach(() => {
    bin = fs.mkdtempSync(path.join(process.env.ENGINE_COMPARISON_HOME!, "bin-"));
    const script = "#!/bin/sh\necho unix:///var/run/docker.sock\n";
    fs.writeFileSync(path.join(bin, "docker"), script, { mode: 0o755 });
    process.env.PATH = `${bin}:${search}`;
  });
  afterEach(() => void (process.env.PATH = search));

  it("is the one that its owner recorded, whatever became of the daemon's record", async () => {
    claimStack("one", "docker");
    fs.writeFileSync(path.join(stackFolder("one"), "docker.json"), '{"host":');
    expect(await executorOf("one")).toHaveProperty("watch"); // by which containers are measured
    claimStack("two", "local");
    expect(await executorOf("two")).not.toHaveProperty("watch");
  });

  it("is none where the stack is not deployed", async () => {
    expect(targetOf("none")).toBeUndefined();
    await expect(executorOf("none")).rejects.toThrow("stack none is not deployed");
  });

  it("is refused where another checkout has made it", () => {
    claimStack("two", "local");
    const file = path.join(stackFolder("two"), "owner.json");
    fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace('"local"', '"kubernetes"'));
    expect(() => targetOf("two")).toThrow(
      'no target "kubernetes"; available: local, docker, cluster',
    );
  });
});
