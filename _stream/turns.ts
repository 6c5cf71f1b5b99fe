/**
 * One operation at a time.
 *
 * @module
 */

import { Lock } from "../_socket/lock.ts";

/** Runs operations one after the other, in the order in which they were asked for. */
export class Turns extends Lock {
  /** Runs `operation` when those before it have ended, however they ended. */
  async run<T>(operation: () => Promise<T>): Promise<T> {
    if (!this.tryAcquire()) await this.acquire();
    try {
      return await operation();
    } finally {
      this.release();
    }
  }
}
