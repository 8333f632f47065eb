import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { center, intervalOf, ratioOf, type Forks } from "../../../results/statistics";

const seconds = fc.double({ min: 0.01, max: 100, noNaN: true });
const forks: fc.Arbitrary<Forks> = fc.array(fc.array(seconds, { minLength: 1, maxLength: 9 }), {
  minLength: 1,
  maxLength: 3,
});

describe("a ratio", () => {
  it("is that of the medians, with an interval that is the same every time", () => {
    fc.assert(
      fc.property(forks, forks, (a, b) => {
        const ratio = ratioOf(a, b);
        expect(ratio.value).toBe(center(a) / center(b));
        expect(ratio.low).toBeLessThanOrEqual(ratio.high);
        expect(ratio.forks).toBe(Math.min(a.length, b.length));
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
    expect(ratioOf([[2, 3, 4]], [[1, 2]])).toEqual({
      ...{ value: 2, low: 1, high: 4, interval: "range", forks: 1 },
    });
    const many = ratioOf([[2, 2.1, 2.2, 2, 2.1]], [[1, 1.1, 1, 1.05, 1]]);
    expect(many.interval).toBe("bootstrap");
    expect(many.low).toBeGreaterThan(1.7);
    expect(many.high).toBeLessThan(2.3);
  });
});

describe("an interval", () => {
  it("covers the spread between driver processes, which one process does not tell", () => {
    const apart = [
      [1, 1.01, 1.02],
      [2, 2.01, 2.02],
      [3, 3.01, 3.02],
    ] as const;
    const { low, high } = intervalOf(apart);
    expect(low).toBeLessThan(1.1);
    expect(high).toBeGreaterThan(2.9);
    const one = intervalOf([[2, 2.01, 2.02, 2, 2.01]]);
    expect(one.high - one.low).toBeLessThan(0.05);
    expect(one.forks).toBe(1);
  });
});
