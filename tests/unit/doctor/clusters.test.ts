import { describe, expect, it } from "vitest";
import { wrongPulumi, type PulumiFacts } from "../../../cli/checks";
import { isOlder } from "../../../infra/host/probe";
import {
  aliveNodes,
  otherVersion,
  parseSparkVersion,
  rayTrouble,
  sparkTrouble,
  type MasterPage,
} from "../../../infra/targets/serviceChecks";
import { wrongEnvironment, type EnvironmentFacts } from "../../../infra/toolchain/checks";
import { lockedPackages, lockedVersion } from "../../../infra/toolchain/locks";
import { readSettings } from "../../../infra/targets/readSettings";
import { defaultConfig, largeMachine } from "../../defaults";
import { problems } from "./problems";

const subject = (target: string, stack: string) => ({
  stack,
  settings: readSettings(defaultConfig({ target }), largeMachine),
});
const local = subject("local", "local");
const onDocker = subject("docker", "two");
const logs = ({ stack }: { stack: string }, service: string) => `logs of ${service} on ${stack}`;
const now = Date.parse("2026-05-01T10:00:00Z");

describe("spark", () => {
  const url = "http://127.0.0.1:8080";
  const worker = { state: "ALIVE", cores: 1, memory: 2048 };
  const page: MasterPage = {
    url: "spark://x:7077",
    status: "ALIVE",
    workers: [worker, worker],
    activeapps: [],
  };
  const app = {
    name: "etl",
    state: "WAITING",
    starttime: now - 120_000,
    cores: 0,
    memoryperexecutor: 1024,
  };
  const shell = { ...app, name: "pyspark-shell", state: "RUNNING", cores: 2 };
  const look = (page: MasterPage) => sparkTrouble({ url, page, at: now }, local, logs);

  it.each<[string, Partial<MasterPage>, string]>([
    ["well", {}, ""],
    ["one that recovers", { status: "RECOVERING" }, `Spark's master at ${url} is RECOVERING`],
    [
      "a worker that is gone",
      { workers: [worker, { ...worker, state: "DEAD" }] },
      `1 of 2 Spark workers are registered at ${url}`,
    ],
    ["no worker", { workers: [] }, `0 of 2 Spark workers are registered at ${url}`],
    ["a job that runs", { activeapps: [shell] }, ""],
    ["a job that has just begun", { activeapps: [{ ...app, starttime: now - 2_000 }] }, ""],
    ["a job behind a shell", { activeapps: [shell, app] }, "the Spark job etl waits for executors"],
    [
      "a job that is too large",
      { activeapps: [{ ...app, memoryperexecutor: 8192 }] },
      "the Spark job etl wants executors of 8.0 GiB, and no worker offers more than 2.0 GiB",
    ],
  ])("%s", (_, more, words) => {
    expect(problems(look({ ...page, ...more }))).toBe(words);
  });

  it("a job behind a shell is told who has the cores", () => {
    expect(look({ ...page, activeapps: [shell, app] })[0].why).toBe("pyspark-shell has the cores");
  });

  it("a silent master", () => {
    const said = sparkTrouble({ url, silent: "ECONNREFUSED", at: now }, onDocker, logs);
    expect(problems(said)).toBe(`Spark's master does not answer at ${url} (ECONNREFUSED)`);
    expect(said[0].fix).toBe("logs of spark-master on two, then npm start -- --stack two");
  });

  it("another version than the clients'", () => {
    const html =
      '<a href="/"><img src="/static/spark-logo.svg"/>\n<span class="version" style="margin-right: 15px;">3.5.1</span></a>';
    expect(parseSparkVersion(html)).toBe("3.5.1");
    expect(parseSparkVersion("<html></html>")).toBeUndefined();
    const other = { url, page, at: now, version: "3.5.1" };
    expect(problems(sparkTrouble(other, local, logs))).toBe(
      `the Spark cluster at ${url} is version 3.5.1, and its clients are ${lockedVersion("pyspark")}`,
    );
    for (const version of [lockedVersion("pyspark"), undefined])
      expect(otherVersion("Spark", { ...other, version }, "")).toEqual([]);
  });
});

describe("ray", () => {
  const url = "http://127.0.0.1:8265";

  it.each([
    [{ nodes: [{}, {}] }, ""],
    [{}, ""],
    [{ nodes: [{}] }, `1 of 2 nodes of the Ray cluster at ${url} are alive`],
    [{ silent: "ECONNREFUSED" }, `Ray's head does not answer at ${url} (ECONNREFUSED)`],
  ])("%j", (more, words) => {
    expect(problems(rayTrouble({ url, ...more }, onDocker, 2, logs))).toBe(words);
  });

  it("another version than the clients'", () => {
    expect(problems(rayTrouble({ url, version: "2.9.3" }, onDocker, 2, logs))).toBe(
      `the Ray cluster at ${url} is version 2.9.3, and its clients are ${lockedVersion("ray")}`,
    );
    expect(rayTrouble({ url, version: lockedVersion("ray") }, onDocker, 2, logs)).toEqual([]);
  });

  it("that refuses the stack's token is another one", () => {
    expect(problems(rayTrouble({ url, refused: true }, onDocker, 2, logs))).toContain("token");
  });

  it("counts the nodes that live", () => {
    const answer = (...states: string[]) => ({
      data: { result: { result: states.map((state) => ({ state })) } },
    });
    expect(aliveNodes(answer("ALIVE", "DEAD"))).toHaveLength(1);
    expect(aliveNodes({ result: false })).toBeUndefined();
  });
});

describe("environment", () => {
  const lock = lockedPackages(
    [
      "ray==2.60.0 \\",
      "    --hash=sha256:00",
      "typing_extensions==4.15.0 \\",
      "onnxruntime==1.24.0 \\",
      "colorama==0.4.6 ; sys_platform == 'win32' \\",
      "ml-dtypes==0.5.4 ; python_full_version >= '3.14' \\",
      "ml-dtypes==0.6.0 ; python_full_version < '3.14' \\",
    ].join("\n"),
  );
  const dists = ["ray-2.60.0", "typing_extensions-4.15.0", "onnxruntime-1.24.0", "ml_dtypes-0.6.0"];
  const facts: EnvironmentFacts = {
    folder: "/cache/python/1",
    python: "3.11.7",
    madeFor: "3.11.7",
    packages: dists.map((name) => `${name}.dist-info`),
    ofThisLock: true,
  };
  const without = (name: string) => facts.packages.filter((each) => !each.startsWith(name));

  it.each<[string, Partial<EnvironmentFacts>, string]>([
    ["well", {}, ""],
    ["a tool beside", { packages: [...facts.packages, "uv-1.0.dist-info"] }, ""],
    [
      "with CUDA's package in place of the CPU's",
      { packages: [...without("onnxruntime"), "onnxruntime_gpu-1.24.0.dist-info"] },
      "",
    ],
    ["no Python any more", { python: undefined }, "the Python in /cache/python/1 does not start"],
    [
      "another Python",
      { python: "3.12.1" },
      "the Python in /cache/python/1 is 3.12.1, and was 3.11.7 when its packages were installed",
    ],
    [
      "a Python that the lock does not cover",
      { python: "3.14.0" },
      "the Python in /cache/python/1 is 3.14.0, and the lock covers 3.10 to 3.13",
    ],
    [
      "an older lock",
      { ofThisLock: false },
      "/cache/python/1 was made from another requirements.lock than this checkout has",
    ],
    [
      "an upgraded package",
      { packages: [...without("ray"), "ray-2.61.0.dist-info"] },
      "/cache/python/1 has ray 2.61.0, locked 2.60.0",
    ],
    [
      "a missing package",
      { packages: without("typing") },
      "/cache/python/1 has no typing-extensions",
    ],
  ])("%s", (_, more, words) => {
    const range = { min: 10, max: 13 };
    expect(problems(wrongEnvironment({ ...facts, ...more }, lock, range, "local"))).toBe(words);
  });
});

describe("pulumi", () => {
  const facts: PulumiFacts = {
    cli: "v3.248.0",
    sdk: "3.248.0",
    wanted: { command: "1.2.1", docker: "5.2.0" },
    installed: [
      { name: "command", version: "1.2.1" },
      { name: "docker", version: "5.2.0" },
    ],
    offline: false,
  };

  it.each<[string, Partial<PulumiFacts>, string]>([
    ["well", {}, ""],
    ["a newer CLI", { cli: "v3.260.1" }, ""],
    ["none", { cli: undefined }, "there is no Pulumi CLI on PATH"],
    [
      "an older CLI",
      { cli: "v3.99.0" },
      "the Pulumi CLI is v3.99.0, and the program's SDK is 3.248.0",
    ],
    ["plugins that it may download", { installed: [] }, ""],
    [
      "another plugin, and no download",
      { installed: [facts.installed[0], { name: "docker", version: "4.0.0" }], offline: true },
      "the Pulumi plugin docker 5.2.0 is not installed (4.0.0 is)",
    ],
    [
      "no plugin, and no download",
      { installed: [facts.installed[1]], offline: true },
      "the Pulumi plugin command 1.2.1 is not installed",
    ],
  ])("%s", (_, more, words) => {
    expect(problems(wrongPulumi({ ...facts, ...more }))).toBe(words);
  });

  it.each([
    ["3.99.0", "3.248.0", true],
    ["v3.248.0-dev", "3.248.0", false],
    ["20.10.24+dfsg1", "20.10", false],
    ["19.3", "20.10", true],
    ["4.0.0", "3.248.0", false],
  ])("%s is older than %s: %s", (one, other, older) => {
    expect(isOlder(one, other)).toBe(older);
  });
});
