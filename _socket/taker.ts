/**
 * A call that waits for data.
 *
 * @module
 */

import type { Timeout } from "./alarm.ts";
import { quiet } from "./quiet.ts";

/** Gets what a read brings as soon as it is there, with nothing in between. */
export class Taker {
  /** What the caller holds: the bytes, or their count where they are in the caller's memory. */
  readonly promise: Promise<unknown>;
  /** Ends the call with what it takes. */
  resolve!: (taken: unknown) => void;
  #reject!: (error: unknown) => void;

  /**
   * @param size The most bytes.
   * @param into The caller's memory, where the bytes are to go there.
   * @param timeout Ends the call when the time runs out.
   */
  constructor(
    readonly size: number,
    readonly into: Uint8Array | undefined,
    readonly timeout: Timeout | undefined,
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Ends the call with an error. The call may be one that nobody awaits. */
  refuse(error: unknown): void {
    quiet(this.promise);
    this.#reject(error);
  }
}
