/**
 * The arithmetic: medians, and ratios of rounds that were measured side by side.
 *
 * @module
 */

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) {
    throw new RangeError("Cannot take a median: there are no values");
  }
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[half]
    : (sorted[half - 1] + sorted[half]) / 2;
}

/** All together. */
export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/**
 * The median of the ratios round by round: what slows the machine for a while slows both sides of a
 * round, and cancels out.
 */
export function ratio(a: readonly number[], b: readonly number[]): number {
  return median(pairs(a, b).map(([x, y]) => x / y));
}

/** The median of the differences round by round. */
export function difference(
  a: readonly number[],
  b: readonly number[],
): number {
  return median(pairs(a, b).map(([x, y]) => x - y));
}

function pairs(a: readonly number[], b: readonly number[]) {
  if (a.length !== b.length) {
    throw new RangeError(
      `Cannot compare: ${a.length} rounds here, ${b.length} there`,
    );
  }
  return a.map((x, i) => [x, b[i]]);
}
