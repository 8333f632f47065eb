import { describe, expect, it } from "vitest";
import { rowOf } from "../../../cli/checks";
import { wrongStore } from "../../../infra/stores/checks";
import { killedContainers } from "../../../infra/targets/docker/checks";
import { withRoles, type Inspected } from "../../../infra/targets/docker/inspect";
import {
  killedServices,
  parseEnds,
  parseKernelKills,
  portsNeeded,
} from "../../../infra/targets/local/checks";
import { notRunning } from "../../../infra/targets/checks";
import { missingData, type DataFacts } from "../../../pipelines/stored";
import { readSettings } from "../../../infra/targets/readSettings";
import { defaultConfig, largeMachine } from "../../defaults";
import { problems } from "./problems";

describe("services", () => {
  it("tells those that do not run, on both targets, with their logs", () => {
    const services = [
      { name: "minio", state: "RUNNING" },
      { name: "ray-head", state: "DEAD" },
      { name: "app", state: "Up 5 minutes (healthy)" },
      { name: "spark-master", state: "Up 5 minutes (unhealthy)" },
      { name: "spark-worker-1", state: "Exited (137) 2 minutes ago" },
      { name: "ray-worker", state: "Restarting (1) 2 seconds ago" },
    ];
    const errors = notRunning(services, ["app", "spark-worker-2"], "one");
    expect(problems(errors).split("\n")).toEqual([
      "spark-worker-2 does not exist",
      "ray-head is DEAD",
      "spark-master is Up 5 minutes (unhealthy)",
      "spark-worker-1 is Exited (137) 2 minutes ago",
      "ray-worker is Restarting (1) 2 seconds ago",
    ]);
    expect(errors[1].fix).toBe(
      "see why: npm run logs -- ray-head --stack one; then npm start -- --stack one starts it again",
    );
  });
});

describe("killed", () => {
  const log = [
    "2026-05-01 10:00:00,123 INFO spawned: 'minio' with pid 12",
    "2026-05-01 10:00:01,456 INFO success: minio entered RUNNING state, process has stayed up",
    "2026-05-01 10:05:00,001 WARN exited: minio (terminated by SIGKILL; not expected)",
    "2026-05-01 10:06:00,001 WARN exited: ray-head (exit status 1; not expected)",
    "2026-05-01 10:07:00,001 INFO stopped: spark-master (terminated by SIGTERM)",
  ].join("\n");

  it("reads what the supervisor wrote down, and leaves out what it ended itself", () => {
    const at = (time: string) => Date.parse(`2026-05-01T${time}Z`);
    expect(parseEnds(log)).toEqual([
      { name: "minio", how: "terminated by SIGKILL", at: at("10:05:00") },
      { name: "ray-head", how: "exit status 1", at: at("10:06:00") },
    ]);
    expect(parseKernelKills("pgfault 1\noom_kill 6\nnuma_hit 2\n")).toBe(6);
    expect(parseKernelKills("pgfault 1\n")).toBeUndefined();
  });

  it.each([
    [
      "terminated by SIGKILL",
      6,
      "it has ended 6 processes since boot",
      "smaller sparkWorkerMemory",
    ],
    ["terminated by SIGKILL", undefined, "SIGKILL is how the kernel", "smaller sparkWorkerMemory"],
    ["terminated by SIGKILL", 0, "what used it has failed", "npm run logs -- minio"],
    ["exit status 1", 6, "what used it has failed", "npm run logs -- minio"],
  ])("a service: %s, the kernel's count is %s", (how, kernelKills, why, fix) => {
    const ends = [{ name: "minio", how, at: 0 }];
    const [error, ...others] = killedServices({ ends, kernelKills }, "local");
    expect(others).toEqual([]);
    expect(error.what).toBe(
      `minio ended by itself once in the last hour, last at 00:00:00 UTC: ${how}`,
    );
    expect(error.why).toContain(why);
    expect(error.fix).toContain(fix);
  });

  const inspected = (more: Partial<Inspected["State"]>, restarts = 0): Inspected => ({
    Id: "abc",
    Name: "/one-spark-worker-1",
    RestartCount: restarts,
    State: { Status: "running", OOMKilled: false, ExitCode: 0, ...more },
    HostConfig: { Memory: 2 ** 30, ShmSize: 2 ** 26, Runtime: "runc", DeviceRequests: null },
  });

  it.each<[string, Inspected, string[], string]>([
    ["well", inspected({}), [], ""],
    ["killed", inspected({ OOMKilled: true }), [], "were used up (OOMKilled)"],
    ["killed and started again", inspected({}), ["abc"], "(OOMKilled)"],
    ["another's event", inspected({}), ["def"], ""],
    [
      "started again",
      inspected({ ExitCode: 1 }, 3),
      [],
      "one-spark-worker-1 3 times; it ended with exit code 1",
    ],
  ])("a container: %s", (_, one, events, words) => {
    const said = killedContainers(withRoles([one], "one"), events, "one");
    expect(said).toHaveLength(words === "" ? 0 : 1);
    expect(problems(said)).toContain(words);
    if (words.includes("OOM"))
      expect(said[0].fix).toContain(`'containerMemory={"spark-worker":"2g"}'`);
  });

  it("leaves out containers without a role", () => {
    expect(withRoles([{ ...inspected({}), Name: "/one-other" }], "one")).toEqual([]);
  });
});

const withStore = readSettings(
  defaultConfig({
    objectStore: "s3",
    s3Endpoint: "https://store.test",
    s3AccessKey: "somebody",
    s3SecretKey: "something",
  }),
  largeMachine,
);

it("a stack with another store has no MinIO", () => {
  const settings = readSettings(defaultConfig(), largeMachine);
  const services = (of: typeof settings) =>
    portsNeeded(of, "local", { alive: () => false }).map(({ service }) => service);
  expect(services(settings)).toContain("minio");
  expect(services(withStore)).not.toContain("minio");
});

describe("store", () => {
  const endpoint = "http://127.0.0.1:9000";
  const now = Date.parse("2026-05-01T10:00:00Z");
  const settings = readSettings(defaultConfig({ target: "local" }), largeMachine);
  const subject = { stack: "local", settings };
  const logs = () => "the log";
  const answer = { server: "MinIO", date: "Fri, 01 May 2026 10:00:01 GMT" };

  it.each([
    [{ answer }, ""],
    [{ silent: "ECONNREFUSED" }, `the object store does not answer at ${endpoint} (ECONNREFUSED)`],
    [{ answer: { ...answer, server: "nginx" } }, `${endpoint} is answered by nginx, not by MinIO`],
    [
      { answer: { ...answer, date: "Fri, 01 May 2026 09:00:00 GMT" } },
      "the store's clock and this machine's are 60 minutes apart",
    ],
    [{ answer: { ...answer, date: "" } }, ""],
  ])("%j", (more, words) => {
    expect(problems(wrongStore({ endpoint, at: now, ...more }, subject, logs))).toBe(words);
  });

  it("that is not the stack's own may be of any make", () => {
    const external = { stack: "local", settings: withStore };
    const other = { endpoint, at: now, answer: { ...answer, server: "nginx" } };
    expect(problems(wrongStore(other, external, logs))).toBe("");
    const silent = { endpoint, at: now, silent: "ECONNREFUSED" };
    const [{ fix }] = wrongStore(silent, external, logs);
    expect(fix).toContain("s3CaCertificates");
    expect(fix).not.toContain("minio");
  });
});

describe("data", () => {
  const manifest = [
    { path: "taxi/one.parquet", bytes: 10 },
    { path: "taxi/two.parquet", bytes: 20 },
  ];
  const all = new Map(manifest.map(({ path, bytes }) => [path, { size: bytes }]));
  const facts: DataFacts = {
    dataset: "taxi",
    bucket: "lake",
    bucketExists: true,
    objects: all,
    manifest,
  };

  it.each<[string, Partial<DataFacts>, string]>([
    ["all there", {}, ""],
    ["all there, as far as it is known", { manifest: undefined }, ""],
    [
      "no bucket",
      { bucketExists: false, objects: new Map() },
      "bucket lake with the taxi data is gone",
    ],
    [
      "data that somebody else has changed",
      { manifest: undefined, existing: "changed" },
      "the taxi data in bucket lake has changed since the program looked at it",
    ],
    ["an empty bucket", { objects: new Map() }, "bucket lake has nothing of the taxi data"],
    [
      "a cut file",
      { objects: new Map([...all, ["taxi/two.parquet", { size: 19 }]]) },
      "1 of 2 files of the taxi data are not in bucket lake as they were uploaded, e.g. taxi/two.parquet",
    ],
  ])("%s", (_, more, words) => {
    expect(problems(missingData([{ ...facts, ...more }], "npm start"))).toBe(words);
  });
});

it.each([
  ["FileNotFoundError: s3://lake/taxi", "data"],
  ["An error occurred (NoSuchKey)", "data"],
  ["bucket lake has nothing of the taxi data", "data"],
  ["ray.exceptions.OutOfMemoryError: task was killed", "memory"],
  ["No space left on device", "disk"],
  ["no executor came within 120 s", "spark"],
  ["Connection refused", "services"],
  ["RuntimeError: Version mismatch: The cluster was started with", "environment"],
  ["the checksum differs from the oracle", undefined],
])("the failure %j points to row %s", (reason, row) => {
  expect(rowOf(reason)).toBe(row);
});
