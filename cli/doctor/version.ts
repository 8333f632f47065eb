/** The numbers that a version begins with: `v3.248.0-dev` is [3, 248, 0]. */
export function numbersOf(version: string): number[] {
  const [numbers = ""] = /\d+(\.\d+)*/.exec(version) ?? [];
  return numbers.split(".").map(Number);
}

/** Whether one version comes before another, by as many numbers as the other has. */
export function isOlder(version: string, than: string): boolean {
  const one = numbersOf(version);
  for (const [i, number] of numbersOf(than).entries()) {
    if ((one[i] ?? 0) !== number) return (one[i] ?? 0) < number;
  }
  return false;
}
