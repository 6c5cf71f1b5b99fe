/**
 * Waits until one source is ready, or the first of several.
 *
 * @module
 */

import { MAX_DELAY, type WaitLimit, wouldBlock } from "./timeouts.ts";
import { nextTurn, poll } from "./turns.ts";
import { checkAborted, onAbort } from "./abort.ts";
import { type Readiness, whenEnded } from "./pending_operation.ts";

/**
 * Waits until `source` is ready, and takes the result in the same turn. If two calls wait for one source, the first
 * takes the result, and the second waits on.
 *
 * @param source The readiness to wait for. Its operation goes on after a timeout.
 * @param limit The limit of the wait.
 * @param syscall The call that waits, for the message.
 * @param take Takes the result once the source is ready.
 * @throws {BlockingIOError} if the call must not wait, and the source is not ready.
 * @throws {TimeoutError} if the time runs out.
 */
export async function whenReady<T>(
  source: Readiness,
  limit: WaitLimit,
  syscall: string,
  take: () => T,
): Promise<T> {
  while (!source.ready) {
    if (limit === "now") {
      if (!(await poll(source))) throw wouldBlock(syscall);
    } else if (limit === null) await source.nextChange();
    else if (!(await limit.race(source.nextChange())) && !source.ready) {
      throw limit.error();
    }
  }
  return take();
}

/** The sources of {@linkcode anyReady} as one. */
interface Sources {
  /** Whether one of them is ready. */
  readonly ready: boolean;
  /** Starts all of them. */
  nextChange(): Promise<void>[];
}

/**
 * Waits until one of several sources is ready, or the time runs out. Takes no result.
 *
 * @param sources The readinesses to wait for.
 * @param seconds The limit; null waits without limit, 0 only polls.
 * @param signal Ends the wait when it aborts; must not have aborted yet.
 * @throws The signal's reason.
 */
export async function anyReady(
  sources: readonly Readiness[],
  seconds: number | null,
  signal?: AbortSignal,
): Promise<void> {
  const any: Sources = {
    get ready() {
      return sources.some((source) => source.ready);
    },
    nextChange: () => sources.map((source) => source.nextChange()),
  };
  any.nextChange(); // all of them, or a busy one would keep the others from starting
  if (any.ready) return await nextTurn(); // a program that polls in a loop must not starve the others
  if (seconds === 0) return void await poll(any);
  await firstReady(any, seconds, signal);
  if (!any.ready) checkAborted(signal);
}

async function firstReady(
  any: Sources,
  seconds: number | null,
  signal: AbortSignal | undefined,
): Promise<void> {
  const end = Promise.withResolvers<void>();
  let over = false;
  const stop = () => {
    over = true;
    end.resolve();
  };
  const timer = seconds === null
    ? undefined
    : setTimeout(stop, Math.min(seconds * 1000, MAX_DELAY));
  const forget = signal && onAbort(signal, stop);
  while (!over && !any.ready) {
    await firstEnded([...any.nextChange(), end.promise]);
  }
  clearTimeout(timer);
  forget?.();
  if (!any.ready && !signal?.aborted) await poll(any); // the program may have kept the event loop from looking in time
}

/** Waits for the first of several promises, and leaves no reaction behind. */
async function firstEnded(promises: Promise<void>[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const callbacks = promises.map((each) => whenEnded(each, resolve));
  await promise;
  for (const forget of callbacks) forget();
}
