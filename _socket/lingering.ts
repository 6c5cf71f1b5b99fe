/**
 * A close that does not cut off what was sent.
 *
 * @module
 */

import { SHUT_WR } from "./constants.ts";
import { OSError } from "./errors.ts";
import type { Socket } from "./facade.ts";

/** Bytes that are dropped at a time. */
const CHUNK = 16384;

/** Ends sending, drops what comes until the peer's end, or for as long or as much as given, and closes. */
export async function lingeringClose(
  socket: Socket,
  seconds: number,
  limit: number,
): Promise<void> {
  try {
    socket.settimeout(null);
    socket.setdeadline(seconds);
    await socket.shutdown(SHUT_WR);
    const dropped = new Uint8Array(CHUNK);
    for (let left = limit; left > 0;) {
      const count = await socket.recvInto(dropped);
      if (count === 0) break;
      left -= count;
    }
  } catch (error) {
    if (!(error instanceof OSError)) throw error; // the peer has gone, or takes too long
  } finally {
    socket.close();
  }
}
