import { describe, expect, it } from "vitest";
import { readSettings } from "../../../infra/targets/readSettings";
import { UserError } from "../../../infra/contracts/errors";
import { defaultConfig, largeMachine } from "../../defaults";

function refusal(changed: Record<string, string>, machine = largeMachine): UserError {
  try {
    readSettings(defaultConfig(changed), machine);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return error as UserError;
  }
  throw new Error("the settings were taken");
}

describe("settings", () => {
  it("takes its own defaults", () => {
    const settings = readSettings(defaultConfig(), largeMachine);
    expect(settings.fareAbove).toBe(30);
    expect(settings.sparkWorkerMemory).toBe(2 * 2 ** 30);
    expect(settings.engines).toEqual([]);
    expect(settings.matrix).toBe("quick");
    expect(settings.daftRunner).toBe("native");
    expect(settings.minioRootUser).toBeUndefined();
  });

  it("refuses more real photographs than there are", () => {
    const refused = refusal({ datasetSource: "nyc", photos: "25251" });
    expect(refused.what).toContain("with datasetSource nyc it must be at most 25250");
    const most = { datasetSource: "nyc", photos: "25250" };
    expect(() => readSettings(defaultConfig(most), largeMachine)).not.toThrow();
  });

  it("passes over keys of other namespaces", () => {
    const config = { ...defaultConfig(), "aws:region": "eu-central-1" };
    expect(() => readSettings(config, largeMachine)).not.toThrow();
  });

  it.each([
    ["fareAbove", "cheap", 'engine-comparison:fareAbove is "cheap": it must be a whole number'],
    ["sparkWorkers", "0", 'engine-comparison:sparkWorkers is "0": it must be from 1 to 1000'],
    ["matrix", "fast", 'engine-comparison:matrix is "fast": it must be one of seed, quick, full'],
    ["tunables", '{"ray-tuned": 4}', "it must be an object of objects"],
    ["tunables", '{"ray-tuned": {"blocks": null}}', "whose values are texts, numbers or true"],
    ["engines", "spark", "must be a list of different names"],
    ["engines", '["ray","ray"]', "must be a list of different names"],
    ["sparkWorkerMemory", "2 GB", "must be a size such as 1536m or 2g"],
    ["taxiMonths", "13", "must be from 1 to 12"],
    ["taxiYear", "2010", "must be from 2011 to 2100"],
    ["nycMirror", "mirror.example", "must be an http or https address without a password"],
    ["nycMirror", "https://me:secret@mirror.example", "must be an http or https address"],
    ["minioRootUser", "a", "must be 3 to 128 letters"],
  ])("refuses %s = %s and says what it must be", (key, value, told) => {
    expect(refusal({ [key]: value }).what).toContain(told);
  });

  it("names an unknown key and the one that was meant", () => {
    expect(refusal({ "fare-above": "30" }).what).toBe(
      "engine-comparison:fare-above is not a setting; did you mean fareAbove?",
    );
  });

  it("tells all that is wrong at once", () => {
    const { what } = refusal({ photos: "0", repeats: "x", nonsense: "1" });
    for (const key of ["photos", "repeats", "nonsense"]) expect(what).toContain(key);
  });

  const s3 = {
    objectStore: "s3",
    s3Endpoint: "https://s3.example",
    s3AccessKey: "key",
    s3SecretKey: "hidden",
  };

  it("takes a store that is there already", () => {
    const settings = readSettings(
      defaultConfig({ ...s3, s3Endpoint: "https://s3.example:9000/" }),
      largeMachine,
    );
    expect(settings.s3Endpoint).toBe("https://s3.example:9000");
    expect(settings.s3PathStyle).toBe(true);
    expect(settings.objectStore).toBe("s3");
  });

  it.each([
    [{ ...s3, s3AccessKey: "" }, 'objectStore is "s3", but s3AccessKey is not set'],
    [
      { ...s3, s3Endpoint: "http://[::1]:9000", s3PathStyle: "false" },
      's3PathStyle is "false", and s3Endpoint is "http://[::1]:9000"',
    ],
    [{ ...s3, target: "docker" }, 'objectStore is "s3" and target is docker'],
    [
      { ...s3, objectStore: "auto" },
      "s3Endpoint, s3AccessKey, s3SecretKey is set, but objectStore",
    ],
    [{ sparkWorkers: "17" }, 'sparkWorkers is "17": with target local it must be at most 16'],
    [{ sparkExecutors: "3" }, 'sparkExecutors is "3", and sparkWorkers is 2'],
    [{ network: "10ms", target: "docker" }, 'network is "10ms" and target is docker'],
    [{ ...s3, network: "10ms", target: "cluster" }, 'network is "10ms" and target is cluster'],
    [{ ...s3, network: "50ms" }, 'network is "50ms", and objectStore is s3 with https'],
    [
      { ...s3, network: "10ms", s3Endpoint: "http://s3.example", s3PathStyle: "false" },
      "or buckets in host names",
    ],
    [{ objectStore: "aws", bucketPrefix: "my.team-" }, '"my.team-" has a dot'],
    [{ objectStore: "aws", network: "10ms" }, "objectStore is aws with https"],
    [{ bucketPrefix: "me-" }, "bucketPrefix is set, but objectStore is minio"],
    [{ ...s3, bucketNames: '{"lake":"one","output":"one"}' }, "two purposes the same bucket"],
    [
      { objectStore: "aws", bucketNames: '{"lake":"one","output":"one"}' },
      "two purposes the same bucket",
    ],
    [{ ...s3, bucketNames: '{"lake":"No"}' }, 'has "No", and a bucket\'s name has'],
    [{ ...s3, bucketNames: '{"pond":"one"}' }, "some of the keys lake, images, warehouse, output"],
    [{ ...s3, s3Endpoint: "https://s3.example/lake" }, "must be an http or https address without"],
    [
      { ...s3, s3Endpoint: "http://s3.example", s3CaCertificates: "ca.pem" },
      's3CaCertificates is set, but s3Endpoint is "http://s3.example"',
    ],
  ])("refuses %o", (changed, told) => {
    expect(refusal(changed).what).toContain(told);
    expect(refusal(changed).message).not.toContain("hidden");
  });

  it("never tells a secret's value", () => {
    expect(refusal({ minioRootPassword: "short" }).message).not.toContain("short");
  });

  it("refuses more memory than the machine has, with both figures", () => {
    const { what } = refusal({ sparkWorkerMemory: "8g" }, { cpus: 2, memoryBytes: 8 * 2 ** 30 });
    expect(what).toContain("is 9.0 GiB, but this machine has 8.0 GiB");
  });
});
