/** Seed of all that these tests leave to chance; `npm run test:long` prints it. */
export const seed = Number(process.env.LONG_SEED ?? 1);

/**
 * Numbers from 0 to below 1 that look random and follow from the seed and a name alone, so that one
 * test's draws do not move another's (mulberry32).
 */
export function randomNumbers(name: string): () => number {
  let state = seed;
  for (const letter of name) state = Math.imul(state ^ letter.charCodeAt(0), 0x9e3779b1) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
