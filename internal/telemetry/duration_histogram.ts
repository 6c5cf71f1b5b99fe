/**
 * A histogram of durations, by reason.
 *
 * @module
 */

/** The durations of one reason. */
export interface Durations {
  /** The number of durations in each bucket, and of those above the last one. */
  readonly buckets: number[];
  /** The sum of the durations. */
  sum: number;
}

/** Counts durations in buckets, by the reason of the end. */
export class DurationHistogram {
  /** The upper bounds of the buckets, ascending. */
  readonly bounds: readonly number[];
  /** The durations by reason. */
  readonly byReason: Map<string, Durations> = new Map();

  /**
   * @param bounds The upper bounds of the buckets.
   * @throws {RangeError} if they are not finite and ascending.
   */
  constructor(bounds: readonly number[]) {
    this.bounds = [...bounds];
    const valid = this.bounds.every((bound, index) =>
      Number.isFinite(bound) && (index === 0 || bound > bounds[index - 1])
    );
    if (valid) return;
    throw new RangeError(
      `Cannot count durations: buckets must be ascending seconds, got ${bounds}`,
    );
  }

  /** Counts a duration. */
  record(seconds: number, reason: string): void {
    let durations = this.byReason.get(reason);
    if (durations === undefined) {
      const buckets = new Array<number>(this.bounds.length + 1).fill(0);
      this.byReason.set(reason, durations = { buckets, sum: 0 });
    }
    const index = this.bounds.findIndex((bound) => seconds <= bound);
    durations.buckets[index < 0 ? this.bounds.length : index]++;
    durations.sum += seconds;
  }
}
