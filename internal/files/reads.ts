/**
 * How a read is carried out: in steps, each of which waits for more data, or by the one receive that serves it.
 *
 * @module
 */

import type { Mutex } from "../waiting/mutex.ts";
import { quietFailure } from "../waiting/promises.ts";

/** A read: whenever it yields how much data it needs, it is told whether there was any. */
export type Steps<T> = Generator<number, T, boolean>;

/** Carries out a read whose data has to be waited for. */
export async function finish<T>(
  steps: Steps<T>,
  fill: (wanted: number) => Promise<boolean>,
): Promise<T> {
  let step = steps.next();
  while (!step.done) {
    let more: boolean;
    try {
      more = await fill(step.value);
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(more);
  }
  return step.value;
}

/**
 * Carries out a read when those before it have ended.
 *
 * One async function takes the turn and goes through the steps: with one for each, reading 100 bytes of a socket
 * took 15 percent more time.
 *
 * @param turns The turns of the reader.
 * @param begin Begins the read; throws if the reader is closed.
 * @param fill Receives; resolves to false at the end of the stream.
 */
export async function finishInTurn<T>(
  turns: Mutex,
  begin: () => Steps<T>,
  fill: (wanted: number) => Promise<boolean>,
): Promise<T> {
  if (!turns.tryAcquire()) await turns.acquire();
  try {
    const steps = begin();
    let step = steps.next();
    while (!step.done) {
      let more: boolean;
      try {
        more = await fill(step.value);
      } catch (error) {
        step = steps.throw(error);
        continue;
      }
      step = steps.next(more);
    }
    return step.value;
  } finally {
    turns.release();
  }
}

/** Carries out a read whose data comes while the thread blocks. */
export function finishNow<T>(
  steps: Steps<T>,
  fill: (wanted: number) => boolean,
): T {
  let step = steps.next();
  while (!step.done) {
    let more: boolean;
    try {
      more = fill(step.value);
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(more);
  }
  return step.value;
}

/**
 * Makes of what came what the caller wants; throws, or receives more, where it has to.
 *
 * @typeParam R The reader.
 * @typeParam C What came: bytes, or how many.
 * @typeParam T What the caller wants.
 */
export type Use<R, C, T> = (reader: R, came: C) => T | Promise<T>;

/**
 * Receives in the caller's turn, and gives what came to the caller.
 *
 * Where a client sends a request and waits for the answer, most reads find the reader empty, receive once, and
 * have what they want. The way that serves all reads makes seven promises and a generator for that; here
 * it is one, and no closure: what reader and writer spend on a line fell from 1.1 to 0.4 microseconds.
 *
 * @typeParam R The reader.
 */
export class Straight<R> {
  readonly #reader: R;
  readonly #turns: Mutex;
  #use: Use<R, unknown, unknown> | undefined;
  #result: Promise<unknown> | undefined;
  #onCame: ((came: unknown) => unknown) | undefined;
  #onFailed: ((error: unknown) => never) | undefined;

  /**
   * @param reader The reader.
   * @param turns Its turns.
   */
  constructor(reader: R, turns: Mutex) {
    this.#reader = reader;
    this.#turns = turns;
  }

  /**
   * Takes the turn until what comes is used. Only where nobody has it; the promise can go unawaited.
   *
   * @param coming What is being received.
   * @param use What becomes of it.
   */
  read<C, T>(coming: Promise<C>, use: Use<R, C, T>): Promise<T> {
    this.#turns.tryAcquire();
    this.#use = use as Use<R, unknown, unknown>;
    this.#onCame ??= (came) => this.#came(came);
    this.#onFailed ??= (error) => this.#failed(error);
    const result = coming.then(this.#onCame, this.#onFailed);
    this.#result = result;
    return result as Promise<T>;
  }

  #came(came: unknown): unknown {
    let used: unknown;
    try {
      used = this.#use!(this.#reader, came);
    } catch (error) {
      this.#failed(error);
    }
    if (used instanceof Promise) {
      return used.then((value) => {
        this.#end();
        return value;
      }, this.#onFailed);
    }
    this.#end();
    return used;
  }

  #failed(error: unknown): never {
    quietFailure(this.#result!, error);
    this.#end();
    throw error;
  }

  /** Keeps nothing of what came. */
  #end(): void {
    this.#result = undefined;
    this.#turns.release();
  }
}
