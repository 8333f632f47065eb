import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { bench, chosenBenchmarks, optionsOf } from "../../../bench/bench";
import { parseArguments } from "../../../cli/verb";

const parse = (...argv: string[]) => optionsOf(parseArguments(bench, argv)!.options);

describe("the command line of npm run bench", () => {
  it("is the one that its entry runs", () => {
    const help = spawnSync(process.execPath, ["bench/main.mjs", "--help"], { encoding: "utf8" });
    expect(help.stdout).toMatch(/^usage: npm run bench -- /);
    expect(help.status).toBe(0);
  });

  it("has the sizes of the goals, and a stack of its own", () => {
    expect(parse()).toEqual({ rows: [12_000_000], photos: [1000], plan: {}, config: [] });
    expect(parseArguments(bench, [])?.stack).toBe("bench");
  });

  it("takes several sizes", () => {
    const given = parse(
      "--rows",
      "1200000,40000000",
      "--photos",
      "10,20",
      "--samples",
      "3",
      "--forks",
      "2",
    );
    expect(given).toEqual({
      rows: [1_200_000, 40_000_000],
      photos: [10, 20],
      plan: { repeats: "3", forks: "2" },
      config: [],
    });
  });

  it.each([
    ["rows", "1200000,", '--rows is "": it takes a whole number above 0'],
    ["rows", "12m", '--rows is "12m": it takes a whole number above 0'],
    ["photos", "0", '--photos is "0": it takes a whole number above 0'],
    ["samples", "-1", "argument is ambiguous"],
  ])("refuses --%s %s", (option, value, message) => {
    expect(() => parse(`--${option}`, value)).toThrow(message);
  });

  it("runs all but what takes long by itself, or those that are named, in their own order", () => {
    const names = (only?: string) => chosenBenchmarks(only).map(({ name }) => name);
    expect(names()).not.toContain("set-up");
    expect(names("set-up,taxi-report")).toEqual(["taxi-report", "set-up"]);
    expect(() => names("taxi-reprot")).toThrow(
      '--only is "taxi-reprot": no taxi-reprot; available: taxi-report',
    );
  });
});
