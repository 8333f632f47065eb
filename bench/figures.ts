import { median } from "../results/statistics";
import { ratioOf, type Ratio } from "../results/statistics";
import type { Outcome } from "./harness";

/** A contender's row of a table: all that is told of its samples. */
export interface Figures {
  readonly name: string;
  readonly startUpSeconds: number;
  readonly firstSeconds: number;
  readonly median: Interval;
  /** What it is compared with, and how many times as long it takes. */
  readonly against?: { readonly name: string; readonly ratio: Ratio };
  readonly perSecond?: number;
  readonly cpuSeconds: number;
  /** CPU by the time it took: the median. */
  readonly coresAtWork: number;
  readonly peakMemoryBytes: number;
  readonly hot: number;
  readonly disturbed: number;
}

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
  return {
    value: median(sorted),
    low: sorted[at],
    high: sorted[n - 1 - at],
    confidence: coverage(n, at),
  };
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
export function figuresOf({ contenders, work }: Outcome): Figures[] {
  const hot = new Map(
    contenders.map((one) => [one.name, one.samples.filter(({ kind }) => kind === "hot")]),
  );
  const times = (name: string) => hot.get(name)!.map(({ totalSeconds }) => totalSeconds);
  return contenders.map((one) => {
    const samples = hot.get(one.name)!;
    const interval = medianInterval(times(one.name));
    const others = (one.against ?? []).filter((name) => name !== one.name && hot.has(name));
    const [fastest] = others.sort((a, b) => median(times(a)) - median(times(b)));
    return {
      name: one.name,
      startUpSeconds: one.startUpSeconds,
      firstSeconds: one.samples[0].totalSeconds,
      median: interval,
      ...(fastest && {
        against: { name: fastest, ratio: ratioOf(times(one.name), times(fastest)) },
      }),
      ...(work && { perSecond: work.amount / interval.value }),
      cpuSeconds: median(samples.map(({ cpuSeconds }) => cpuSeconds)),
      coresAtWork: median(samples.map(({ cpuSeconds, totalSeconds }) => cpuSeconds / totalSeconds)),
      peakMemoryBytes: one.peakMemoryBytes,
      hot: samples.length,
      disturbed: samples.filter(({ disturbed }) => disturbed).length,
    };
  });
}
