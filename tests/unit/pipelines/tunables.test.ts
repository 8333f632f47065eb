import { afterEach, describe, expect, it, vi } from "vitest";
import { readSettings } from "../../../infra/targets/readSettings";
import { runInputs } from "../../../pipelines/inputs";
import { chosenRuns } from "../../../pipelines/matrix";
import type { Engine } from "../../../results/catalog";
import { defaultConfig, largeMachine } from "../../defaults";
import { context, runKeys } from "./runKeys";

const why = { default: null, why: "fewer tasks", source: "https://engine.test/blocks" };
const declared = [
  { name: "blocks", value: 4, ...why },
  { name: "eager", value: false, ...why },
];
const tuned = vi.hoisted(() => ({ tunables: [] as unknown[] }));

// As if a contender of an engine that exists were there.
vi.mock(import("../../../results/catalog"), async (original) => {
  const real = await original();
  const added = () => {
    const { seed: _, ...ray } = real.engineOf("ray");
    return { ...ray, name: "ray-toy", use: "tuned", reference: [], ...tuned } as unknown as Engine;
  };
  const engines = () => [...real.engines(), added()];
  return {
    ...real,
    engines,
    engineOf: (name: string) => engines().find((one) => one.name === name)!,
  };
});
afterEach(() => void (tuned.tunables = declared));

const full = { matrix: "full" };
const key = (given: object) => ({ ...full, tunables: JSON.stringify({ "ray-toy": given }) });

function redone(before: Record<string, string>, after: Record<string, string>): string[] {
  return Object.keys(before).filter((run) => before[run] !== after[run]);
}

describe("tunables", () => {
  const own = ["taxi-report", "image-predictions", "image-embeddings"].map((w) => `ray-toy/${w}`);

  it("are an input of exactly their contender's runs", () => {
    tuned.tunables = declared;
    const settings = readSettings(defaultConfig(key({ blocks: 8 })), largeMachine);
    const inputs = runInputs("ray-toy", "taxi-report", settings, context, "data");
    expect(inputs.tunables).toBe('{"blocks":8,"eager":false}');
    expect(runInputs("ray", "taxi-report", settings, context, "data").tunables).toBeUndefined();
  });

  it("redo their runs with another value, given or declared, and no other", () => {
    tuned.tunables = declared;
    const before = runKeys(full);
    expect(redone(before, runKeys(key({ blocks: 8 }))).sort()).toEqual([...own].sort());
    expect(redone(before, runKeys(key({ blocks: 4 })))).toEqual([]);
    tuned.tunables = [{ ...declared[0], value: 5 }, declared[1]];
    expect(redone(before, runKeys(full)).sort()).toEqual([...own].sort());
  });

  it.each<[object, string, string]>([
    [{ "ray-toys": {} }, 'has "ray-toys", which is no contender', "choose from"],
    [{ "ray-toy": { block: 1 } }, 'has "block", which ray-toy does not have', "blocks, eager"],
    [{ ray: { blocks: 1 } }, 'has "blocks", which ray does not have', "remove ray"],
    [{ "ray-toy": { blocks: "4" } }, 'has "4" as blocks of ray-toy, which is a number', "as 4"],
    [{ "ray-toy": { eager: 1 } }, "has 1 as eager of ray-toy, which is a boolean", "as false"],
  ])("refuses %j", (tunables, told, fix) => {
    tuned.tunables = declared;
    const config = defaultConfig({ tunables: JSON.stringify(tunables) });
    const settings = readSettings(config, largeMachine);
    expect(() => chosenRuns(settings)).toThrow(`engine-comparison:tunables ${told}`);
    expect(() => chosenRuns(settings)).toThrow(fix);
  });
});
