import { describe, expect, it } from "vitest";
import { containerRole, sizeOf, tooLarge } from "../../../infra/targets/docker/resources";
import { readSettings } from "../../../infra/targets/readSettings";
import { containerRoles } from "../../../infra/settings/platforms";
import { defaultConfig, largeMachine } from "../../defaults";

const settings = (changed: Record<string, string> = {}) =>
  readSettings(defaultConfig({ target: "docker", ...changed }), largeMachine);

describe("the size of a container", () => {
  it("follows from the sizes of Spark's and Ray's workers", () => {
    const wide = settings({
      sparkWorkerMemory: "3g",
      sparkWorkerCores: "2",
      sparkExecutors: "2",
      rayCpus: "4",
      rayObjectStoreMemory: "2g",
    });
    expect(sizeOf("spark-worker", wide, 64)).toEqual({
      memoryMib: 3072 + 1024 + 2048,
      cpus: 2,
      shmMib: 64,
      cpuSet: "0-3",
    });
    expect(sizeOf("ray-worker", wide, 64)).toMatchObject({ cpus: 4, shmMib: 2048 + 64 });
    expect(sizeOf("app", wide, 64).cpus).toBe(4);
  });

  it("has room in /dev/shm for Ray's object store, and in memory for /dev/shm", () => {
    for (const store of ["128m", "1g", "8g"]) {
      const { shmMib, memoryMib } = sizeOf(
        "ray-worker",
        settings({ rayObjectStoreMemory: store }),
        64,
      );
      expect(shmMib).toBeGreaterThan(
        settings({ rayObjectStoreMemory: store }).rayObjectStoreMemory / 2 ** 20,
      );
      expect(memoryMib).toBeGreaterThan(shmMib);
    }
  });

  it("is what the settings say instead", () => {
    const own = settings({
      containerMemory: '{"app":"6g"}',
      containerCpus: '{"app":"1.5","minio":2}',
      containerShm: '{"app":"256m"}',
    });
    expect(sizeOf("app", own, 64)).toMatchObject({ memoryMib: 6144, cpus: 1.5, shmMib: 256 });
    expect(sizeOf("minio", own, 64).cpus).toBe(2);
    expect(sizeOf("spark-master", own, 64).cpus).toBeUndefined();
  });

  it("is what a run may take where an engine has one container", () => {
    expect(sizeOf("app", settings(), 64).memoryMib).toBe(6144);
    expect(sizeOf("app", settings({ runMemory: "3g" }), 64).memoryMib).toBe(3072);
  });

  it("shares a run's cores with the engine's other containers", () => {
    const some = settings({ sparkWorkerCores: "2", rayCpus: "3" });
    const set = (role: (typeof containerRoles)[number], cpus = 8) =>
      sizeOf(role, some, cpus).cpuSet;
    expect(["app", "spark-master", "spark-worker"].map((role) => set(role as "app"))).toEqual(
      Array.from({ length: 3 }, () => "0-1"),
    );
    expect([set("ray-head"), set("ray-worker"), set("minio")]).toEqual(["0-2", "0-2", undefined]);
    expect(set("app", 2)).toBeUndefined();
  });

  it("has no more CPUs than the daemon, which would refuse it", () => {
    expect(sizeOf("ray-worker", settings({ rayCpus: "8" }), 2).cpus).toBe(2);
  });

  it.each([
    ['{"apps":"6g"}', "must be an object with some of the keys minio"],
    ['{"app":"lots"}', "must be a size such as 1536m or 2g for app"],
    ["[]", "must be an object with some of the keys minio"],
    ["nonsense", "must be an object with some of the keys minio"],
  ])("is refused as %s", (containerMemory, message) => {
    expect(() => settings({ containerMemory })).toThrow(message);
  });
});

describe("a daemon that is too small", () => {
  it("is told with the container that does not fit", () => {
    const daemon = { cpus: 2, memoryBytes: 4 * 2 ** 30 };
    const small = tooLarge(settings({ sparkWorkerMemory: "3g" }), daemon);
    expect(small.map(({ what }) => what)).toContain(
      "container spark-worker is to have 6144 MiB of memory, but the Docker daemon has 4096 MiB",
    );
    expect(tooLarge(settings(), { cpus: 2, memoryBytes: 16 * 2 ** 30 })).toEqual([]);
  });

  it("does not take /dev/shm that is larger than the memory", () => {
    const large = settings({ containerShm: '{"app":"32g"}' });
    const [error] = tooLarge(large, { cpus: 2, memoryBytes: 2 ** 36 });
    expect(error.what).toMatch(/^container app is to have 32768 MiB of \/dev\/shm/);
  });
});

describe("a role", () => {
  it("is sized by its kind", () => {
    expect(containerRole("spark-worker-12")).toBe("spark-worker");
    for (const role of containerRoles.filter((each) => each !== "spark-worker")) {
      expect(containerRole(role)).toBe(role);
    }
  });
});
