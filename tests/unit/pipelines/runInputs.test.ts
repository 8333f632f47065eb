import { describe, expect, it } from "vitest";
import { parseSettings } from "../../../infra/settings";
import { chosenRuns } from "../../../pipelines/matrix";
import { oracleInputs, runInputs, runKey } from "../../../pipelines/runInputs";
import { defaultConfig, largeMachine } from "../../defaults";
import { ground, runKeys } from "./runKeys";

/** The runs whose keys differ after `changed`. */
function rerun(changed: Record<string, string>): string[] {
  const before = runKeys();
  const after = runKeys(changed);
  return Object.keys(before).filter((run) => before[run] !== after[run]);
}

const every = (engine: string, workload: string) =>
  Object.keys(runKeys()).filter(
    (run) =>
      (engine === "*" || run.startsWith(`${engine}/`)) &&
      (workload === "*" || run.endsWith(`/${workload}`)),
  );
const images = () => [...every("*", "image-predictions"), ...every("*", "image-embeddings")];

describe("run keys", () => {
  it.each<[string, string, () => string[]]>([
    ["fareAbove", "31", () => every("*", "taxi-report")],
    ["batchSize", "16", images],
    ["decode", "shared", images],
    ["maxRejected", "5", images],
    ["rayCpus", "3", () => every("ray", "*")],
    ["rayCompute", "actors", () => every("ray", "*")],
    ["repeats", "5", () => every("*", "*")],
    ["warmup", "0", () => every("*", "*")],
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
    const settings = parseSettings(defaultConfig(), largeMachine);
    const inputs = runInputs("spark", "taxi-report", settings, ground, "data");
    expect(inputs).toMatchObject({ fareAbove: "30", resources: "2 x 1 core 2g", store: "1" });
    expect(Object.values(inputs).every((value) => typeof value === "string")).toBe(true);
  });

  it("an oracle does not depend on how a run gets to its answer", () => {
    const key = (changed: Record<string, string>) =>
      runKey(
        oracleInputs(
          "image-predictions",
          parseSettings(defaultConfig(changed), largeMachine),
          ground,
          "data",
        ),
      );
    expect(key({ batchSize: "7", repeats: "9", rayCpus: "4" })).toBe(key({}));
  });
});

describe("chosen runs", () => {
  const names = (changed: Record<string, string>) =>
    chosenRuns(parseSettings(defaultConfig(changed), largeMachine)).map(
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

  it("keep their rank whatever else is chosen", () => {
    const settings = parseSettings(defaultConfig({ engines: '["daft"]' }), largeMachine);
    expect(chosenRuns(settings)[0]).toEqual({
      engine: "daft",
      workload: "image-embeddings",
      rank: 2,
    });
  });

  it("refuse settings that leave nothing to run", () => {
    expect(() => names({ matrix: "seed", engines: '["baseline"]' })).toThrow(
      "leave nothing to run",
    );
  });
});
