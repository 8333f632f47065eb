/** @throws RangeError for no values */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("the median of no values");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Seconds of the samples of each driver process: at least one process, and one sample of each. */
export type Forks = readonly (readonly number[])[];

/** The median of the processes' medians. */
export function center(forks: Forks): number {
  return median(forks.map(median));
}

/** Samples that each side needs before resampling says more than the range does. */
export const bootstrapFrom = 5;

const resamples = 2000;
export const confidence = 0.95;
const seed = 20260101;

/** Numbers in [0, 1) that are the same for the same seed: Mulberry32. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A figure, and how sure it is. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /**
   * `bootstrap`: 95 % percentile interval of what was resampled, driver processes first, then the
   * samples of each. `range`: the extremes, where there are fewer than {@link bootstrapFrom} samples.
   */
  readonly interval: "bootstrap" | "range";
  /** Driver processes of the side that has fewer. With one, the spread between them is not in it. */
  readonly forks: number;
}

/**
 * The median of a run's samples with its interval: over driver processes first, samples second.
 * Seeded: equal samples give equal intervals.
 *
 * A. C. Davison, D. V. Hinkley (1997), Bootstrap Methods and their Application, section 3.8.
 */
export function intervalOf(forks: Forks): Interval {
  return resampled([forks], ([one]) => one);
}

/**
 * How many times as long one run takes as another: the ratio of the medians, as {@link intervalOf}.
 *
 * @param ours seconds above zero
 * @param theirs seconds above zero
 */
export function ratioOf(ours: Forks, theirs: Forks): Interval {
  return resampled([ours, theirs], ([one, other]) => one / other);
}

/** @param figure of the sides' medians; rises with the first and falls with the second */
function resampled(sides: readonly Forks[], figure: (medians: number[]) => number): Interval {
  const value = figure(sides.map(center));
  const forks = Math.min(...sides.map(({ length }) => length));
  if (Math.min(...sides.map((side) => side.flat().length)) < bootstrapFrom) {
    const [least, most] = [Math.min, Math.max].map((pick) => (side: Forks) => pick(...side.flat()));
    const low = figure(sides.map((side, at) => (at === 0 ? least : most)(side)));
    const high = figure(sides.map((side, at) => (at === 0 ? most : least)(side)));
    return { value, low, high, interval: "range", forks };
  }
  const next = random(seed);
  const pick = <T>(values: readonly T[]) => values[Math.floor(next() * values.length)];
  const again = (side: Forks) =>
    center(
      side.map(() => {
        const fork = pick(side);
        return fork.map(() => pick(fork));
      }),
    );
  const figures = Array.from({ length: resamples }, () => figure(sides.map(again)));
  figures.sort((a, b) => a - b);
  const tail = Math.floor(((1 - confidence) / 2) * resamples);
  const [low, high] = [figures[tail], figures[resamples - 1 - tail]];
  return { value, low, high, interval: "bootstrap", forks };
}
