import { describe, expect, it } from "vitest";
import { figuresOf, medianInterval } from "../../../bench/figures";
import { contender, outcome } from "./outcome";

describe("the interval of a median", () => {
  it.each([
    // From the binomial distribution: 1 - 2 P(B(n, 1/2) <= at)
    [3, 1, 3, 0.75],
    [5, 1, 5, 0.9375],
    [6, 1, 6, 0.96875],
    [9, 2, 8, 0.9609375],
    [12, 3, 10, 0.96142578125],
    [20, 6, 15, 0.9586105346679688],
  ])("of 1 to %i goes from %i to %i", (n, low, high, confidence) => {
    const values = Array.from({ length: n }, (_, at) => n - at);
    expect(medianInterval(values)).toEqual({ value: (n + 1) / 2, low, high, confidence });
  });

  it("of one value is that value, which covers nothing", () => {
    expect(medianInterval([4])).toEqual({ value: 4, low: 4, high: 4, confidence: 0 });
  });
});

describe("the figures of an outcome", () => {
  const fast = contender("fast", [9, 1, 1, 1]);
  const slow = contender("slow", [9, 2, 2, 2]);

  it("compare with the faster one of those that are named", () => {
    const engine = { ...contender("engine", [50, 3, 3, 3]), against: ["slow", "fast"] };
    const [figures] = figuresOf(outcome([engine, slow, fast]));
    expect(figures.against).toEqual({
      name: "fast",
      ratio: { value: 3, low: 3, high: 3, interval: "range" },
    });
  });

  it("leave out a comparison with what did not take part", () => {
    const [figures] = figuresOf(outcome([{ ...fast, against: ["absent"] }]));
    expect(figures.against).toBeUndefined();
  });

  it("keep the first sample out of the median, and give rates where there is an amount", () => {
    const work = { amount: 100, unit: "images" };
    const [figures] = figuresOf({ ...outcome([slow]), work });
    expect(figures).toMatchObject({ firstSeconds: 9, hot: 3, perSecond: 50, disturbed: 0 });
  });
});
