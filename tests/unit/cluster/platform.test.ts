import { beforeAll, describe, expect, it } from "vitest";
import { declare } from "../../../infra/targets/cluster/platform";
import type { Platform } from "../../../infra/contracts/platform";
import { readSettings } from "../../../infra/targets/readSettings";
import { declareStore } from "../../../infra/stores/s3/store";
import { bucketsNamed } from "../../../infra/settings/bucketNames";
import { chosenRuns } from "../../../pipelines/matrix";
import { defaultConfig, largeMachine } from "../../defaults";
import { otherNames, record, type Recorded } from "../local/recorded";

const config = {
  target: "cluster",
  objectStore: "s3",
  s3Endpoint: "https://s3.example",
  s3AccessKey: "the-access-key",
  s3SecretKey: "hunter2-store",
  sparkMaster: "spark://master.example:7077",
  sparkSecret: "hunter2-spark",
  rayAddress: "http://head.example:8265/",
  rayToken: "hunter2-ray",
};

describe("target cluster", () => {
  let all: Recorded[];
  let platform: Platform;
  const command = (name: string) => all.find((each) => each.name === name && each.inputs.create)!;
  const spec = (name: string) =>
    JSON.parse(command(name).inputs.environment.SPEC) as Record<string, unknown>;

  beforeAll(async () => {
    const settings = readSettings(defaultConfig(config), largeMachine);
    const seen = { buckets: bucketsNamed(undefined, {}), certificates: null, generation: "1" };
    all = await record(
      "far",
      () => {
        platform = declare(settings, "far", {
          existing: { generation: () => "1", alive: () => false },
          model: "f00d",
          declareStore: (credentials) => declareStore(settings, seen, credentials),
        });
      },
      (name) =>
        name === "credentials"
          ? JSON.stringify({ generations: { minio: 1, spark: 2, ray: 3, s3: 4 } })
          : "{}",
    );
  });

  it("makes a toolchain and records, and no engine and no MinIO", () => {
    const commands = all.filter(({ type }) => type === "command:local:Command");
    expect(commands.map(({ name }) => name).sort()).toEqual([
      "clusters",
      "credentials",
      "object-store",
      "toolchain-jars",
      "toolchain-model",
      "toolchain-packages",
      "toolchain-python",
    ]);
    expect(otherNames(all)).toEqual([]);
    expect(platform.rayDashboardUrl).toBe("http://head.example:8265");
  });

  it("keeps the addresses, and of secrets only how often they changed", () => {
    expect(spec("clusters")).toMatchObject({
      spark: {
        master: "spark://master.example:7077",
        authenticates: true,
      },
      ray: { dashboard: "http://head.example:8265", authenticates: true },
      secrets: [2, 3],
      generation: "1", // a record with another type is none to its readers
    });
    expect(spec("object-store").keys).toBe(4);
    const { stdin, ...rest } = command("credentials").inputs;
    expect(JSON.stringify(stdin)).toContain("hunter2-ray");
    const others = all.filter(({ name }) => name !== "credentials").map(({ inputs }) => inputs);
    expect(JSON.stringify([rest, others])).not.toContain("hunter2");
  });
});

describe("settings of target cluster", () => {
  const parse = (changed: Record<string, string>) =>
    readSettings(defaultConfig({ ...config, ...changed }), { cpus: 1, memoryBytes: 2 ** 30 });

  it("may ask for more than this machine has", () => {
    expect(parse({ sparkWorkerMemory: "64g" }).daftRunner).toBe("ray");
  });

  it.each([
    [{ objectStore: "minio" }, 'objectStore is "minio" and target is cluster'],
    [{ target: "local" }, "sparkMaster, sparkSecret, rayAddress, rayToken is set, but target is"],
    [{ gpu: "required" }, 'gpu is "required" and target is cluster'],
    [{ sparkMaster: "yarn" }, "must be the address of a standalone master"],
    [{ rayAddress: "ray://head:10001" }, "must be the address of a dashboard"],
  ])("refuses %o", (changed, told) => {
    expect(() => parse(changed)).toThrow(told);
  });

  it("names the engine whose cluster is not set", () => {
    expect(() => chosenRuns(parse({ sparkMaster: "" }))).toThrow(
      "spark/taxi-report is to run, and engine-comparison:sparkMaster is not set",
    );
    expect(() => chosenRuns(parse({ rayAddress: "", engines: '["daft"]' }))).toThrow(
      "daft/image-embeddings is to run, and engine-comparison:rayAddress is not set",
    );
    const native = parse({ rayAddress: "", engines: '["daft"]', daftRunner: "native" });
    expect(chosenRuns(native).length).toBeGreaterThan(0);
  });
});
