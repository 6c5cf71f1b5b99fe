/**
 * Counts the open descriptors of this process.
 *
 * @module
 */

import { assert, delay } from "../deps.ts";

/** The time in milliseconds for which descriptors may stay open. Generous: a busy machine is slow. */
const PATIENCE_MS = 20_000;

/** Returns the number of open descriptors; undefined if that may not be read. */
export function descriptors(): number | undefined {
  try {
    return [...Deno.readDirSync("/proc/self/fd")].length;
  } catch {
    return undefined;
  }
}

/**
 * Waits until no more descriptors are open than before; fails if they stay open. Deno closes some of them, such as the
 * channel of a child that has exited, some turns later. Fewer may be open, because an earlier test may have closed its
 * own.
 */
export async function assertNoneLeft(
  before: number | undefined,
): Promise<void> {
  const due = performance.now() + PATIENCE_MS;
  for (;;) {
    const left = (descriptors() ?? 0) - (before ?? 0);
    if (left <= 0) return;
    assert(performance.now() < due, `${left} descriptors are left`);
    await delay(5);
  }
}
