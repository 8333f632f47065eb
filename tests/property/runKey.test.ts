import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { redoneCells } from "../../docs/configuration";
import { canonicalJson } from "../../infra/stack/files";
import { settingKeys } from "../../infra/settings/schema";
import { runKey } from "../../results/result";
import { quickRuns } from "../defaults";
import { freshHome } from "../unit/cli/home";
import { commands, type RunContext } from "../unit/pipelines/commands";

const inputs = fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { minKeys: 1 });

it("a run key does not depend on the order of its inputs", () => {
  fc.assert(
    fc.property(inputs, (some) => {
      const reversed = Object.fromEntries(Object.entries(some).reverse());
      expect(runKey(reversed)).toBe(runKey(some));
    }),
  );
});

it("a run key changes with every name and every value", () => {
  fc.assert(
    fc.property(inputs, fc.nat(), fc.string({ minLength: 1 }), (some, pick, suffix) => {
      const names = Object.keys(some);
      const name = names[pick % names.length];
      expect(runKey({ ...some, [name]: some[name] + suffix })).not.toBe(runKey(some));
      const { [name]: value, ...others } = some;
      expect(runKey(others)).not.toBe(runKey(some));
      if (!(name + suffix in some)) {
        expect(runKey({ ...others, [name + suffix]: value })).not.toBe(runKey(some));
      }
    }),
  );
});

it("different inputs have different canonical JSON, and equal inputs the same", () => {
  fc.assert(
    fc.property(inputs, inputs, (a, b) => {
      const equal = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
      expect(canonicalJson(a) === canonicalJson(b)).toBe(equal);
    }),
  );
});

function sorted(some: Record<string, string>): [string, string][] {
  return Object.entries(some).sort(([a], [b]) => (a < b ? -1 : 1));
}

freshHome();

const all = ["taxi-report", "image-predictions", "image-embeddings"].flatMap(quickRuns);
const of = (part: string) => all.filter((run) => run.split("/").includes(part));
const images = [...of("image-predictions"), ...of("image-embeddings")];
const none: string[] = [];

const known = new Map<string, ReturnType<typeof commands>>();

/** {@link commands}, each once. */
function declared(...args: Parameters<typeof commands>): ReturnType<typeof commands> {
  const name = JSON.stringify(args);
  const made = known.get(name) ?? commands(...args);
  known.set(name, made);
  return made;
}

/** Of each run that both have, whether its triggers differ. */
async function redone(
  [before, after]: readonly [Record<string, string>, Record<string, string>],
  [groundBefore, groundAfter]: readonly [RunContext, RunContext] = [{}, {}],
): Promise<string[]> {
  const [first, second] = [
    await declared(before, groundBefore),
    await declared(after, groundAfter),
  ];
  return all
    .filter((run) => run in first && run in second)
    .filter((run) => canonicalJson(first[run].triggers) !== canonicalJson(second[run].triggers))
    .sort();
}

const s3 = {
  objectStore: "s3",
  s3Endpoint: "https://store.test",
  s3AccessKey: "somebody",
  s3SecretKey: "something",
};
const aws = { objectStore: "aws", runTimeoutSeconds: "3000" };
const cluster = {
  ...s3,
  target: "cluster",
  sparkMaster: "spark://master.test:7077",
  rayAddress: "http://head.test:8265",
};

/** Of every setting: another value, the runs whose key it is part of, and what else must be set. */
const settings: Record<string, [value: string, runs: string[], given?: Record<string, string>]> = {
  batchSize: ["16", images],
  datasetSource: ["nyc", all],
  daftRunner: ["ray", of("daft")],
  fareAbove: ["31", of("taxi-report")],
  fetchConcurrency: ["8", images],
  forks: ["2", all],
  maxRejected: ["3", images],
  maxSamples: ["9", all],
  measureSeconds: ["3", all],
  network: ["10ms", all],
  nycMirror: ["http://mirror.test", all, { datasetSource: "nyc" }],
  oracleImages: ["10", images],
  photos: ["77", images],
  profile: ["true", all],
  rayCpus: ["3", of("ray")],
  rayObjectStoreMemory: ["300m", of("ray")],
  repeats: ["5", all],
  runMemory: ["9g", all],
  sparkWorkerCores: ["3", all.filter((run) => !run.startsWith("ray/"))],
  sparkWorkerMemory: ["3g", of("spark")],
  sparkExecutors: ["2", all.filter((run) => !run.startsWith("ray/"))],
  sparkWorkers: ["3", []],
  target: ["docker", of("daft")], // which runs on Ray there
  taxiMonths: ["5", of("taxi-report")],
  taxiRows: ["54321", of("taxi-report")],
  taxiYear: ["2019", of("taxi-report"), { datasetSource: "nyc" }],
  warmup: ["2", all],
  tunables: ["{}", none], // of the contender that it names: tests/unit/pipelines/tunables.test.ts
  // Which runs there are, not what they are.
  engines: ['["spark","daft"]', none],
  matrix: ["seed", none],
  workloads: ['["taxi-report"]', none],
  // Where and how long something runs, or who may use it.
  awsProtect: ["true", none, aws],
  awsTags: ['{"team":"data"}', none, aws],
  baseImage: ["other:latest", none],
  bucketNames: ['{"lake":"other"}', none, s3], // other buckets are another store's data id
  bucketPrefix: ["me-", none, s3],
  clusterSize: ["stated", none, cluster], // what it leads to are workers, cores and CPUs
  containerCpus: ['{"app":"1"}', none],
  containerMemory: ['{"app":"2g"}', none],
  containerShm: ['{"app":"1g"}', none],
  extraCaCertificates: ["certificates.pem", none],
  gpu: ["off", none], // what it leads to is the device
  gpuWorkers: ["2", none], // without a GPU
  minioRootPassword: ["something else", none],
  minioRootUser: ["somebody", none],
  modelPath: ["model.onnx", none], // what is in it is the model
  objectStore: ["aws", none, { runTimeoutSeconds: "3000" }], // kept for a stack's life
  portOffset: ["1000", none],
  prices: ["prices.json", none],
  outOfMemory: ["outcome", none],
  rayAddress: ["http://other.test:8265", none, cluster],
  rayToken: ["something", none, cluster],
  runTimeoutSeconds: ["77", none],
  s3AccessKey: ["somebody else", none, s3],
  s3BulkDelete: ["false", none, s3],
  s3CaCertificates: ["certificates.pem", none, s3],
  s3Checksums: ["false", none, s3],
  s3Endpoint: ["https://other.test", none, s3],
  s3PathStyle: ["false", none, s3],
  s3Region: ["eu-central-1", none, s3],
  s3SecretKey: ["something else", none, s3],
  sparkDriverHost: ["here.test", none, cluster],
  sparkDriverPort: ["7300", none, cluster],
  sparkMaster: ["spark://other.test:7077", none, cluster],
  sparkMasterUi: ["http://master.test:8080", none, cluster],
  sparkSecret: ["something", none, cluster],
};

describe("the key of a run", () => {
  it("is known for every setting", () => {
    expect(Object.keys(settings).sort()).toEqual([...settingKeys].sort());
  });

  it.each(Object.entries(settings))("follows %s or not", async (key, [value, runs, given = {}]) => {
    const before = { matrix: "full", ...given };
    expect(await redone([before, { ...before, [key]: value }])).toEqual([...runs].sort());
  });

  it.each(Object.entries(settings))("is said to follow %s or not", (key, [, runs]) => {
    const cell = redoneCells()
      .get(key)!
      .replace(/, with `nyc`$/, "");
    if (/^(adds or removes|fixed for|those whose)/.test(cell)) return;
    const [engines, workloads] = cell.split(": ");
    const named = (workloads === "all" ? engines : (workloads ?? engines)).split(", ");
    const told = cell === "all" ? all : all.filter((run) => named.some((n) => of(n).includes(run)));
    // Some follow it by way of a mark or the device, which this table has below.
    if (runs.length > 0 || cell.startsWith("none")) expect(told.sort()).toEqual([...runs].sort());
  });

  it.each<[keyof RunContext, RunContext, string[]]>([
    ["environment", { environment: "other" }, all],
    ["model", { model: "other" }, images],
    ["device", { device: "cuda" }, images],
    ["store", { store: "2" }, all],
    ["stack", { stack: "other" }, none],
  ])("follows the %s below it or not", async (_, context, runs) => {
    expect(await redone([{}, {}], [{}, context])).toEqual([...runs].sort());
  });

  it("stays when s3Checksums changes, but whose contender cannot do without them is asked", async () => {
    const [before, after] = [await declared(s3), await declared({ ...s3, s3Checksums: "false" })];
    const spec = (run: string, made: typeof before) => made[run].environment.SPEC;
    const asked = all.filter((run) => spec(run, before) !== spec(run, after));
    expect(asked).toEqual(["polars/taxi-report"]);
  });

  it("follows gpuWorkers where there is a GPU", async () => {
    const gpu = { device: "cuda", gpus: 1 } as const;
    expect(await redone([{}, { gpuWorkers: "2" }], [gpu, gpu])).toEqual([...images].sort());
    expect(await redone([{}, {}], [gpu, { ...gpu, gpus: 2 }])).toEqual([...images].sort());
  });
});
