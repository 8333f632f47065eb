import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { median } from "../../../results/statistics";
import { mannWhitney, random, ratioOf } from "../../../results/statistics";

const times = (least: number, most: number) =>
  fc.array(fc.integer({ min: 1, max: 20 }), { minLength: least, maxLength: most });

/** The p-value by listing every way to choose a's places: what the counting has to agree with. */
function byListing(a: readonly number[], b: readonly number[]): number {
  const all = [...a, ...b];
  const sorted = [...all].sort((x, y) => x - y);
  const rank = (value: number) => sorted.indexOf(value) + sorted.lastIndexOf(value);
  const sum = (places: readonly number[]) =>
    places.reduce((total, place) => total + rank(all[place]), 0);
  const choose = (from: number, size: number): number[][] => {
    if (size === 0) return [[]];
    if (from >= all.length) return [];
    const taken = choose(from + 1, size - 1).map((rest) => [from, ...rest]);
    return [...taken, ...choose(from + 1, size)];
  };
  const sums = choose(0, a.length).map(sum);
  const expected = sums.reduce((total, one) => total + one, 0) / sums.length;
  const distance = Math.abs(sum(a.map((_value, place) => place)) - expected);
  return sums.filter((one) => Math.abs(one - expected) >= distance - 1e-9).length / sums.length;
}

describe("the Mann-Whitney test", () => {
  it("is exact, ties included", () => {
    fc.assert(
      fc.property(times(1, 6), times(1, 6), (a, b) => {
        expect(mannWhitney(a, b)).toBeCloseTo(byListing(a, b), 12);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    [[1, 2, 3], [4, 5, 6], 0.1],
    [[1, 2, 3, 4], [5, 6, 7, 8], 2 / 70],
    [[1, 2, 3], [1, 2, 3], 1],
    [[5], [5], 1],
  ])("of %j and %j is %d", (a, b, p) => {
    expect(mannWhitney(a, b)).toBeCloseTo(p, 12);
  });

  it("goes over to the normal approximation without a jump", () => {
    const next = random(7);
    const draw = (n: number, shift: number) => Array.from({ length: n }, () => next() + shift);
    const [a, b] = [draw(30, 0), draw(30, 0.1)];
    const exact = mannWhitney(a, b);
    const approximate = mannWhitney([...a, 0.55], b);
    expect(Math.abs(exact - approximate)).toBeLessThan(0.05);
    expect(mannWhitney(draw(40, 0), draw(40, 0))).toBeGreaterThan(0.01);
    expect(mannWhitney(draw(40, 0), draw(40, 2))).toBeLessThan(1e-9);
  });
});

describe("a ratio", () => {
  const seconds = (least: number, most: number) =>
    fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), {
      minLength: least,
      maxLength: most,
    });

  it("is that of the medians, inside its interval, and the same every time", () => {
    fc.assert(
      fc.property(seconds(1, 9), seconds(1, 9), (a, b) => {
        const ratio = ratioOf(a, b);
        expect(ratio.value).toBe(median(a) / median(b));
        expect(ratio.low).toBeLessThanOrEqual(ratio.high);
        expect(ratio).toEqual(ratioOf(a, b));
        if (ratio.interval === "range") {
          expect(ratio.low).toBeLessThanOrEqual(ratio.value);
          expect(ratio.high).toBeGreaterThanOrEqual(ratio.value);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("has the range of its samples as interval while there are few, then a bootstrap's", () => {
    expect(ratioOf([2, 3, 4], [1, 2])).toEqual({ value: 2, low: 1, high: 4, interval: "range" });
    const many = ratioOf([2, 2.1, 2.2, 2, 2.1], [1, 1.1, 1, 1.05, 1]);
    expect(many.interval).toBe("bootstrap");
    expect(many.low).toBeGreaterThan(1.7);
    expect(many.high).toBeLessThan(2.3);
  });
});
