import { describe, expect, it } from "vitest";
import { readSettings } from "../../../infra/targets/readSettings";
import { clusterOf, engineOf, engines } from "../../../results/catalog";
import { chosenRuns } from "../../../pipelines/matrix";
import { runKey } from "../../../results/result";
import { coresOf, oracleInputs, runInputs } from "../../../pipelines/inputs";
import { defaultConfig, largeMachine, quickRuns } from "../../defaults";
import { context, runKeys } from "./runKeys";

/** The runs whose keys differ after `changed`. */
function rerun(changed: Record<string, string>): string[] {
  const before = runKeys();
  const after = runKeys(changed);
  return Object.keys(before).filter((run) => before[run] !== after[run]);
}

/** The runs of an engine's contenders and a workload; `*` stands for all. */
const every = (engine: string, workload: string) =>
  Object.keys(runKeys()).filter(
    (run) =>
      (engine === "*" || engineOf(run.split("/")[0]).engine === engine) &&
      (workload === "*" || run.endsWith(`/${workload}`)),
  );
const images = () => [...every("*", "image-predictions"), ...every("*", "image-embeddings")];

describe("run keys", () => {
  it.each<[string, string, () => string[]]>([
    ["fareAbove", "31", () => every("*", "taxi-report")],
    ["batchSize", "16", images],
    ["maxRejected", "5", images],
    ["rayCpus", "3", () => every("ray", "*")],
    ["repeats", "5", () => every("*", "*")],
    ["warmup", "0", () => every("*", "*")],
    ["runMemory", "8g", () => every("*", "*")],
    ["sparkWorkerMemory", "3g", () => every("spark", "*")],
    ["daftRunner", "ray", () => every("daft", "*")],
    ["gpuWorkers", "2", () => []],
    ["portOffset", "100", () => []],
    ["runTimeoutSeconds", "60", () => []],
    ["minioRootPassword", "something-else", () => []],
  ])("a changed %s (to %s) redoes exactly the runs that use it", (key, value, expected) => {
    expect(rerun({ [key]: value }).sort()).toEqual(expected().sort());
  });

  it("are of plain strings only, so that a preview can show names and values", () => {
    const settings = readSettings(defaultConfig(), largeMachine);
    const inputs = runInputs("spark", "taxi-report", settings, context, "data");
    expect(inputs).toMatchObject({ fareAbove: "30", resources: "1 x 2 core 2g", store: "1" });
    expect(inputs).toMatchObject({ cores: "2", runMemory: "6g" });
    expect(Object.values(inputs).every((value) => typeof value === "string")).toBe(true);
  });

  it("have the same cores and memory for every engine by default, on every target", () => {
    for (const target of ["local", "docker"]) {
      const settings = readSettings(defaultConfig({ target, matrix: "full" }), largeMachine);
      const limits = chosenRuns(settings).map(({ engine, workload }) => {
        const { cores, runMemory } = runInputs(engine, workload, settings, context, "data");
        return `${cores} cores, ${runMemory}`;
      });
      expect(new Set(limits)).toEqual(new Set(["2 cores, 6g"]));
    }
  });

  it("have the cores of what computes", () => {
    const cores = (engine: string, changed: Record<string, string>) => {
      const settings = readSettings(defaultConfig(changed), largeMachine);
      return coresOf(clusterOf(engineOf(engine), settings), settings);
    };
    expect(cores("spark", { sparkWorkers: "3", sparkExecutors: "3", sparkWorkerCores: "2" })).toBe(
      6,
    );
    expect(cores("ray", { rayCpus: "5" })).toBe(5);
    expect(cores("daft", { rayCpus: "5", daftRunner: "native" })).toBe(2);
    expect(cores("daft", { rayCpus: "5", daftRunner: "ray" })).toBe(5);
  });

  it("an oracle does not depend on how a run gets to its answer", () => {
    const key = (changed: Record<string, string>) =>
      runKey(
        oracleInputs(
          "image-predictions",
          readSettings(defaultConfig(changed), largeMachine),
          context,
          "data",
        ),
      );
    expect(key({ batchSize: "7", repeats: "9", rayCpus: "4" })).toBe(key({}));
  });
});

describe("chosen runs", () => {
  const names = (changed: Record<string, string>) =>
    chosenRuns(readSettings(defaultConfig(changed), largeMachine)).map(
      ({ engine, workload }) => `${engine}/${workload}`,
    );

  it("are the seed's three in the seed's matrix", () => {
    expect(names({ matrix: "seed" })).toEqual([
      "spark/taxi-report",
      "ray/image-predictions",
      "daft/image-embeddings",
    ]);
  });

  it("are twelve by default, the seed's three first", () => {
    const full = names({});
    expect(full).toHaveLength(12);
    expect(full.slice(0, 3)).toEqual(names({ matrix: "seed" }));
  });

  it("are those of any contender that is named, in every matrix but the seed's", () => {
    const named = { engines: '["polars","daft"]' };
    expect(names(named)).toEqual(names({ ...named, matrix: "full" }));
    expect(names(named)).toContain("polars/taxi-report");
    expect(names({ ...named, matrix: "seed" })).toEqual(["daft/image-embeddings"]);
  });

  it("are in the quick matrix the documented ones and the references, in the full one all", () => {
    const workloads = ["taxi-report", "image-predictions", "image-embeddings"];
    expect(names({}).sort()).toEqual(workloads.flatMap(quickRuns).sort());
    const full = names({ matrix: "full" });
    for (const { name, workloads, unsupported } of engines()) {
      for (const workload of [...workloads, ...Object.keys(unsupported)]) {
        expect(full).toContain(`${name}/${workload}`);
      }
    }
  });

  it("keep their rank whatever else is chosen", () => {
    const settings = readSettings(defaultConfig({ engines: '["daft"]' }), largeMachine);
    expect(chosenRuns(settings)[0]).toEqual({
      engine: "daft",
      workload: "image-embeddings",
      rank: 2,
      seed: true,
    });
  });

  it("refuse settings that leave nothing to run", () => {
    expect(() => names({ matrix: "seed", engines: '["polars"]' })).toThrow("leave nothing to run");
  });
});
