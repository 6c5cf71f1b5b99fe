/**
 * The calls that a worker makes to the main thread, and their results.
 *
 * @module
 */

import { type Failure, fromFailure, toFailure } from "../handoff/failure.ts";
import type { FrameChannel } from "./frame_channel.ts";
import { ANSWER, pack, unpack } from "./frames.ts";

/** The result of a call. */
interface Answer {
  value?: unknown;
  failure?: Failure;
}

/** The calls of a worker that wait for their results. */
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

/** Sends the worker the result of its call: the value, or the failure. */
export async function answer(
  channel: FrameChannel,
  call: number,
  result: Promise<unknown>,
): Promise<void> {
  let answer: Answer;
  try {
    answer = { value: await result };
  } catch (error) {
    answer = { failure: toFailure(error) };
  }
  channel.send(ANSWER, call, pack(answer));
}
