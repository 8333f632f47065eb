import { median, ratioOf } from "../results/statistics";
import type { Outcome } from "./harness";

/** A contender's row of a table: all that is told of its samples. */
export type Figures = ReturnType<typeof figuresOf>[number];

export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** How likely the interval of order statistics covers the median, 0 to 1. */
  readonly confidence: number;
}

/**
 * The median with the narrowest interval of two order statistics that covers it with 95 %; with less
 * where there are so few values (five or fewer) that even the least and the most do not.
 *
 * W. J. Conover, Practical Nonparametric Statistics, 3rd edition, section 3.2.
 *
 * @param values at least one
 */
export function medianInterval(values: readonly number[]): Interval {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  let at = 0;
  while (at + 1 < n / 2 && coverage(n, at + 1) >= 0.95) at += 1;
  const [low, high] = [sorted[at], sorted[n - 1 - at]];
  return { value: median(sorted), low, high, confidence: coverage(n, at) };
}

/** How likely the median is between the values `at` places from both ends: 1 - 2 P(B(n, 1/2) <= at) */
function coverage(n: number, at: number): number {
  let [term, tail] = [0.5 ** n, 0];
  for (let k = 0; k <= at; k++) {
    tail += term;
    term *= (n - k) / (k + 1);
  }
  return Math.max(0, 1 - 2 * tail);
}

/** The figures of an outcome, in the order of its contenders. */
export function figuresOf({ contenders, work }: Pick<Outcome, "contenders" | "work">) {
  const hot = new Map(
    contenders.map((one) => [one.name, one.samples.filter(({ kind }) => kind === "hot")]),
  );
  const times = (name: string) => hot.get(name)!.map(({ totalSeconds }) => totalSeconds);
  return contenders.map(({ name, startUpSeconds, peakMemoryBytes, ...one }) => {
    const samples = hot.get(name)!;
    const interval = medianInterval(times(name));
    const others = (one.against ?? []).filter((other) => other !== name && hot.has(other));
    const [fastest] = others.sort((a, b) => median(times(a)) - median(times(b)));
    return {
      name,
      startUpSeconds,
      firstSeconds: one.samples[0].totalSeconds,
      median: interval,
      /** What it is compared with, and how many times as long it takes. */
      ...(fastest && { against: { name: fastest, ratio: ratioOf(times(name), times(fastest)) } }),
      ...(work && { perSecond: work.amount / interval.value }),
      cpuSeconds: median(samples.map(({ cpuSeconds }) => cpuSeconds)),
      /** CPU by the time it took: the median. */
      coresAtWork: median(samples.map(({ cpuSeconds, totalSeconds }) => cpuSeconds / totalSeconds)),
      peakMemoryBytes,
      hot: samples.length,
      disturbed: samples.filter(({ disturbed }) => disturbed).length,
    };
  });
}
