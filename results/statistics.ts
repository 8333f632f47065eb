/** @throws RangeError for no values */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("the median of no values");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Samples that each side needs before resampling says more than the range does. */
export const bootstrapFrom = 5;

const resamples = 4000;
const confidence = 0.95;
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

/** How many times as long one set of samples takes as another, and how sure that is. */
export interface Ratio {
  /** Median by median. */
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /**
   * `bootstrap`: 95 % percentile interval of the resampled ratio of medians. `range`: from min by
   * max to max by min, where there are fewer than {@link bootstrapFrom} samples on a side.
   */
  readonly interval: "bootstrap" | "range";
}

/**
 * The ratio of the medians of two sets of seconds, with its interval. Seeded: equal samples give
 * equal intervals.
 *
 * @param ours at least one, all above zero
 * @param theirs at least one, all above zero
 */
export function ratioOf(ours: readonly number[], theirs: readonly number[]): Ratio {
  const value = median(ours) / median(theirs);
  if (Math.min(ours.length, theirs.length) < bootstrapFrom) {
    const low = Math.min(...ours) / Math.max(...theirs);
    const high = Math.max(...ours) / Math.min(...theirs);
    return { value, low, high, interval: "range" };
  }
  const next = random(seed);
  const resampled = (values: readonly number[]) =>
    median(values.map(() => values[Math.floor(next() * values.length)]));
  const ratios = Array.from({ length: resamples }, () => resampled(ours) / resampled(theirs));
  ratios.sort((a, b) => a - b);
  const tail = Math.floor(((1 - confidence) / 2) * resamples);
  return { value, low: ratios[tail], high: ratios[resamples - 1 - tail], interval: "bootstrap" };
}

/** Above this many samples in all the normal approximation is used: it is as good, and quick. */
const exactUpTo = 60;

/**
 * The two-sided p-value of the Mann-Whitney U test: how likely ranks as far apart as these are
 * where both sets come from one distribution. Exact, by counting all permutations of the mid-ranks
 * (ties included); by the tie-corrected normal approximation for more than 60 samples.
 *
 * H. B. Mann, D. R. Whitney (1947), Annals of Mathematical Statistics 18(1).
 *
 * @param a at least one
 * @param b at least one
 */
export function mannWhitney(a: readonly number[], b: readonly number[]): number {
  const ranks = doubledRanks([...a, ...b]);
  const observed = sum(ranks.slice(0, a.length));
  const expected = (sum(ranks) * a.length) / ranks.length;
  const distance = Math.abs(observed - expected);
  return ranks.length <= exactUpTo
    ? exactTail(ranks, a.length, expected, distance)
    : normalTail(ranks, a.length, distance);
}

/** Twice the mid-rank of each value, so that ties stay whole numbers. */
function doubledRanks(values: readonly number[]): number[] {
  const sorted = [...values].sort((x, y) => x - y);
  return values.map((value) => sorted.indexOf(value) + sorted.lastIndexOf(value) + 2);
}

/** The share of subsets of `size` ranks whose sum is at least `distance` from `expected`. */
function exactTail(ranks: readonly number[], size: number, expected: number, distance: number) {
  const total = sum(ranks);
  // ways[k][s]: subsets of k ranks with the sum s. Counts stay below 2^60: close enough as doubles.
  const ways = Array.from({ length: size + 1 }, () => new Float64Array(total + 1));
  ways[0][0] = 1;
  for (const rank of ranks) {
    for (let k = size; k >= 1; k--) {
      for (let s = total; s >= rank; s--) ways[k][s] += ways[k - 1][s - rank];
    }
  }
  const far = ways[size].filter((_count, s) => Math.abs(s - expected) >= distance - 1e-9);
  return Math.min(1, sum(far) / sum(ways[size]));
}

function normalTail(ranks: readonly number[], size: number, distance: number): number {
  const mean = sum(ranks) / ranks.length;
  const spread = sum(ranks.map((rank) => (rank - mean) ** 2)) / (ranks.length - 1);
  const variance = (size * (ranks.length - size) * spread) / ranks.length;
  // One doubled rank of continuity correction.
  if (variance === 0) return 1;
  return complementaryError(Math.max(0, distance - 1) / Math.sqrt(2 * variance));
}

/** erfc(x) for x >= 0: Abramowitz and Stegun 7.1.26, within 1.5e-7. */
function complementaryError(x: number): number {
  const t = 1 / (1 + 0.3275911 * x);
  const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  return series.reduce((value, factor) => value * t + factor, 0) * t * Math.exp(-x * x);
}

function sum(values: Iterable<number>): number {
  return Array.from(values).reduce((total, value) => total + value, 0);
}
