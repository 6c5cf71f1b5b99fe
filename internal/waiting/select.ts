/**
 * Waiting for the first of several sources.
 *
 * @module
 */

import { MAX_DELAY, nextTurn, poll } from "./timeouts.ts";
import { type Readiness, whenEnded } from "./pending_operation.ts";

/**
 * Waits until one of `sources` is ready, or the time runs out. Whatever comes stays with its source.
 *
 * @param sources What is waited for.
 * @param seconds The limit; null waits without one, 0 only looks.
 */
export async function anyReady(
  sources: readonly Readiness[],
  seconds: number | null,
): Promise<void> {
  const any = {
    get ready() {
      return sources.some((source) => source.ready);
    },
    fill: () => sources.map((source) => source.fill()),
  };
  any.fill(); // all of them, or a busy one would keep the others from starting
  if (any.ready) return await nextTurn(); // who asks again and again must not keep all others waiting
  if (seconds === 0) return void await poll(any);
  let expired = false;
  let wake = () => {};
  const expire = () => {
    expired = true;
    wake();
  };
  const timer = seconds === null
    ? undefined
    : setTimeout(expire, Math.min(seconds * 1000, MAX_DELAY));
  while (!expired && !any.ready) {
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    const callbacks = any.fill().map((flight) => whenEnded(flight, resolve));
    await promise;
    for (const forget of callbacks) forget();
  }
  clearTimeout(timer);
}
