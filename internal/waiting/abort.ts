/**
 * Ends waits when an `AbortSignal` aborts.
 *
 * @module
 */

import { asReason } from "../base/translate_error.ts";
import { Cancellation, type WaitLimit } from "./timeouts.ts";
import { nextTurn } from "./turns.ts";

/**
 * The options of a call that waits.
 *
 * @category Options
 */
export interface AbortOptions {
  /**
   * Ends the wait: the call rejects with the signal's `reason`. If the signal has aborted before, the call does
   * nothing. No data is lost: bytes that arrive later stay for the next call.
   */
  signal?: AbortSignal;
}

/** The calls that wait for a signal. A signal has one listener for all of them, and none if no call waits. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

function callAll(this: AbortSignal): void {
  for (const callback of waiting.get(this) ?? []) callback();
}

/**
 * Calls `callback` when a signal aborts, unless it is removed before.
 *
 * @param signal The signal, which has not aborted yet.
 * @param callback Called once; must not throw.
 * @returns A function that removes the callback. Call it in any case.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let callbacks = waiting.get(signal);
  if (callbacks === undefined) waiting.set(signal, callbacks = new Set());
  if (callbacks.size === 0) signal.addEventListener("abort", callAll);
  const calls = callbacks;
  calls.add(callback);
  return () => {
    if (calls.delete(callback) && calls.size === 0) {
      signal.removeEventListener("abort", callAll);
    }
  };
}

/** Throws a TypeError unless `signal` is an `AbortSignal` or undefined. */
export function checkSignal(
  signal: unknown,
  doing: string,
): asserts signal is AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw new TypeError(
    `Cannot ${doing}: signal must be an AbortSignal, got ${typeof signal}`,
  );
}

/** Returns the reason of an aborted signal, as the error that the call throws. */
export function reasonOf(signal: AbortSignal): unknown {
  return asReason(signal.reason);
}

/** Throws the reason of a signal that has aborted. */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw reasonOf(signal);
}

/**
 * Waits for an operation, until a signal aborts. The operation goes on after the abort, so its owner must keep the
 * result. If many calls wait for one operation, use {@linkcode endOf}, because each wait would leave a reaction behind.
 *
 * @param operation Begins the operation. Not called if the signal has aborted before.
 * @param signal The signal; undefined waits for the operation alone.
 * @returns The result; rejects with the signal's reason.
 */
export async function untilAborted<T>(
  operation: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return await operation();
  if (signal.aborted) await nextTurn(); // a loop that ignores the abort must not starve the others
  checkAborted(signal);
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const forget = onAbort(signal, () => reject(reasonOf(signal)));
  try {
    operation().then(resolve, reject);
    return await promise;
  } finally {
    forget();
  }
}

/** Ends the wait of a call when a signal aborts, or when its time runs out. */
export class AbortOrTimeout extends Cancellation {
  readonly #signal: AbortSignal;
  readonly #timeout: Cancellation | null;
  #forget: (() => void) | undefined;

  /**
   * @param signal The signal.
   * @param timeout The timeout; null is none.
   */
  constructor(signal: AbortSignal, timeout: Cancellation | null) {
    super();
    this.#signal = signal;
    this.#timeout = timeout;
  }

  override get signal(): AbortSignal {
    return this.#signal;
  }

  override get timed(): boolean {
    return this.#timeout !== null;
  }

  get due(): number {
    return this.#timeout?.due ?? Infinity;
  }

  start(onCancel: (error: unknown) => void): void {
    const signal = this.#signal;
    if (signal.aborted) return onCancel(reasonOf(signal));
    this.#forget = onAbort(signal, () => {
      this.cancel();
      onCancel(reasonOf(signal));
    });
    this.#timeout?.start((error) => {
      this.cancel();
      onCancel(error);
    });
  }

  cancel(): void {
    this.#forget?.();
    this.#forget = undefined;
    this.#timeout?.cancel();
  }

  error(): unknown {
    const signal = this.#signal;
    return signal.aborted ? reasonOf(signal) : this.#timeout!.error();
  }
}

/**
 * Waits for an end that many calls may wait for, until a signal aborts. Leaves no reaction behind.
 *
 * @param ended The promise of the end, which must not reject.
 * @param signal The signal.
 * @param doing The call, for the message.
 */
export async function endOf(
  ended: Promise<void>,
  signal: AbortSignal,
  doing: string,
): Promise<void> {
  checkSignal(signal, doing);
  if (signal.aborted) await nextTurn();
  const limit = new AbortOrTimeout(signal, null);
  if (!await limit.race(ended)) throw limit.error();
}

/**
 * Returns the limit of a call that a signal ends too.
 *
 * @param limit The limit of the call without the signal.
 * @param signal The signal, if the call has one.
 * @throws The signal's reason if it has aborted.
 */
export function withSignal(
  limit: WaitLimit,
  signal: AbortSignal | undefined,
): WaitLimit {
  checkAborted(signal);
  if (signal === undefined || limit === "now") return limit;
  return new AbortOrTimeout(signal, limit);
}
