/**
 * The numbers of bytes of a server's requests.
 *
 * @module
 */

import { Socket, stateOf } from "../socket/socket_object.ts";
import type { SocketState } from "../socket/state.ts";
import type { ByteCounts } from "../socket/stream.ts";

/** Adds up the bytes of the requests that have ended. */
export class ByteTotals implements ByteCounts {
  bytesIn = 0;
  bytesOut = 0;

  /** Adds the bytes of a request. If its connection is still open or sends its last bytes, adds those later. */
  add(request: unknown): void {
    if (!(request instanceof Socket)) return;
    const state = stateOf(request);
    const { bytesIn, bytesOut } = state.byteCounts;
    this.#count(bytesIn, bytesOut);
    if (state.closed && state.released === undefined) return;
    void this.#addRest(state, bytesIn, bytesOut);
  }

  #count(bytesIn: number, bytesOut: number): void {
    this.bytesIn += bytesIn;
    this.bytesOut += bytesOut;
  }

  async #addRest(
    state: SocketState,
    bytesIn: number,
    bytesOut: number,
  ): Promise<void> {
    await state.whenReleased();
    const { byteCounts } = state;
    this.#count(byteCounts.bytesIn - bytesIn, byteCounts.bytesOut - bytesOut);
  }

  /** Returns the totals with those of open requests. */
  with(requests: Iterable<unknown>): ByteCounts {
    let { bytesIn, bytesOut } = this;
    for (const request of requests) {
      if (!(request instanceof Socket)) continue;
      const { byteCounts } = stateOf(request);
      bytesIn += byteCounts.bytesIn;
      bytesOut += byteCounts.bytesOut;
    }
    return { bytesIn, bytesOut };
  }
}
