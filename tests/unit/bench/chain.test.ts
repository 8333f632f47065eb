import { expect, it } from "vitest";
import { longestChain } from "../../../bench/benchmarks/setUp";

const step = (name: string, start: number, end: number, ...needs: string[]) => {
  return { urn: name, name, needs, start, end };
};

it("is the chain of steps that takes longest, not the one with most steps", () => {
  const steps = [
    step("python", 0, 50),
    step("java", 0, 1),
    step("jars", 1, 2, "java"),
    step("spark", 50, 60, "python", "jars"),
    step("ray", 50, 75, "python", "gone"),
  ];
  expect(longestChain(steps).map(({ name }) => name)).toEqual(["python", "ray"]);
});

it("is empty where nothing was done", () => {
  expect(longestChain([])).toEqual([]);
});
