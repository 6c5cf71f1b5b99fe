/**
 * A call that waits for data.
 *
 * @module
 */

import type { Timeout } from "./alarm.ts";
import { Call } from "./call.ts";

/**
 * Gets what a read brings as soon as it is there, with nothing in between: the bytes, or their count where
 * they are in the caller's memory.
 */
export class Taker extends Call<unknown> {
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
    super();
  }
}
