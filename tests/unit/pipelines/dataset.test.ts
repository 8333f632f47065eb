import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { shortHash } from "../../../infra/stack/files";
import { readSettings } from "../../../infra/targets/readSettings";
import { datasetCode } from "../../../pipelines/inputs";
import { recipeOf } from "../../../pipelines/dataset";
import { bucketPrefixes, outputPlace } from "../../../pipelines/places";
import { workloads } from "../../../results/catalog";
import { defaultConfig, largeMachine } from "../../defaults";

function recipe(name: string, changed: Record<string, string> = {}) {
  return recipeOf(name, readSettings(defaultConfig(changed), largeMachine), "b");
}

describe("a dataset's identity", () => {
  it("has year, months and address of the real trips, and not the sample's number of rows", () => {
    expect(recipe("taxi", { datasetSource: "nyc", taxiYear: "2023", taxiRows: "5000" })).toEqual({
      dataset: "taxi",
      source: "nyc",
      settings: { year: "2023", months: "12", from: "https://d37ci6vzurychx.cloudfront.net" },
      code: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
    });
  });

  it("has number, bucket and pinned address of the real photographs", () => {
    const { settings } = recipe("photos", { datasetSource: "nyc", photos: "101" });
    expect(settings).toMatchObject({ photos: "101", bucket: "b" });
    expect(settings.from).toMatch(/^https:.*\/ethz\/food101\/resolve\/[0-9a-f]{40}\/data$/);
  });

  it("takes both from a mirror", () => {
    const changed = { datasetSource: "nyc", nycMirror: "http://mirror.example/data/" };
    expect(recipe("taxi", changed).settings.from).toBe("http://mirror.example/data");
    expect(recipe("photos", changed).settings.from).toBe("http://mirror.example/data/food-101");
  });

  it.each<[string, string, string[]]>([
    ["taxiYear", "2023", []],
    ["nycMirror", "http://mirror.example", []],
    ["taxiMonths", "2", ["taxi"]],
    ["photos", "7", ["photos"]],
    ["datasetSource", "nyc", ["taxi", "photos"]],
  ])("of the sample changes with %s (to %s) for %j only", (key, value, changed) => {
    const names = ["taxi", "photos"];
    const differ = (name: string) =>
      shortHash(recipe(name)) !== shortHash(recipe(name, { [key]: value }));
    expect(names.filter(differ)).toEqual(changed);
  });

  it("is of the code of its own source and kind, whose files are found", () => {
    const codes = ["sample", "nyc"].flatMap((source) =>
      ["taxi", "photos"].map((kind) => datasetCode(source, kind)),
    );
    expect(new Set(codes).size).toBe(4);
    const folder = path.join(__dirname, "../../../pipelines/engine_comparison/datasets");
    for (const source of ["sample", "nyc"]) {
      expect(fs.readdirSync(path.join(folder, source))).toEqual(
        expect.arrayContaining(["taxi.py", "photos.py"]),
      );
    }
  });
});

it("puts nothing beside data that is only read", () => {
  const prefixes = bucketPrefixes("existing");
  expect([prefixes.lake, prefixes.images]).toEqual([[], []]);
  const buckets = { lake: "l", images: "i", warehouse: "w", output: "o" };
  for (const { name, purpose } of workloads()) {
    const { bucket, prefix } = outputPlace("spark", name, buckets, "existing");
    expect(["w", "o"]).toContain(bucket);
    const owned = prefixes[bucket === "w" ? "warehouse" : "output"];
    expect(owned.some((one) => prefix.startsWith(one))).toBe(true);
    expect(outputPlace("spark", name, buckets, "sample").bucket).toBe(buckets[purpose]);
  }
});
