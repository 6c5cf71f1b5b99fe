/**
 * Remote calls of a worker that wait for the result from the main thread.
 *
 * @module
 */

import { type Failure, fromFailure } from "../handoff/failure.ts";
import { unpack } from "./frames.ts";

/** The result of a call. */
interface Answer {
  value?: unknown;
  failure?: Failure;
}

/** Numbers calls and passes each result to its call. */
export class PendingCalls {
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #last = 0;

  /**
   * Makes a call.
   *
   * @param send Sends the call with its number.
   * @param done Called with the result.
   */
  start(send: (call: number) => void, done: (answer: Answer) => void): void {
    const call = this.#last = (this.#last + 1) | 0;
    send(call); // which may throw
    this.#waiting.set(call, done);
  }

  /** Makes a call. Resolves to its result. */
  call<T>(send: (call: number) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.start(send, ({ value, failure }) => {
        if (failure === undefined) resolve(value as T);
        else reject(fromFailure(failure));
      });
    });
  }

  /** Settles a call with the result from the main thread. */
  settle(call: number, payload: Uint8Array): void {
    const done = this.#waiting.get(call);
    this.#waiting.delete(call);
    done?.(unpack(payload) ?? {});
  }
}
