/**
 * A close that does not cut off what was sent, of a handler that blocks.
 *
 * @module
 */

import { SHUT_WR } from "../_socket/constants.ts";
import { OSError } from "../_socket/errors.ts";
import type { BlockingSocket } from "./socket.ts";

/** Bytes that are dropped at a time. */
const CHUNK = 16384;

/** Ends sending, drops what comes until the peer's end, or for as long or as much as given, and closes. */
export function lingeringCloseSync(
  socket: BlockingSocket,
  seconds: number,
  limit: number,
): void {
  try {
    socket.settimeout(null);
    socket.setdeadline(seconds);
    socket.shutdown(SHUT_WR);
    const dropped = new Uint8Array(CHUNK);
    for (let left = limit; left > 0;) {
      const count = socket.recvInto(dropped);
      if (count === 0) break;
      left -= count;
    }
  } catch (error) {
    if (!(error instanceof OSError)) throw error; // the peer has gone, or takes too long
  } finally {
    socket.close();
  }
}
