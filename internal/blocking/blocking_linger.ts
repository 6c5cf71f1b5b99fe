/**
 * A close that does not cut off what was sent, of a handler that blocks.
 *
 * @module
 */

import { checkTimeout } from "../base/arguments.ts";
import { SHUT_WR } from "../base/constants.ts";
import { OSError } from "../base/errors.ts";
import type { BlockingSocket } from "./blocking_socket.ts";

/** Bytes that are dropped at a time. */
const CHUNK = 16384;

/** Closes as `lingeringClose()` of `Socket`. */
export function lingeringCloseSync(
  socket: BlockingSocket,
  seconds: number,
  timeout: number,
): void {
  checkTimeout(seconds);
  checkTimeout(timeout);
  try {
    socket.settimeout(null);
    socket.setdeadline(seconds);
    socket.shutdown(SHUT_WR);
    socket.settimeout(timeout);
    const dropped = new Uint8Array(CHUNK);
    while (socket.recvInto(dropped) > 0);
  } catch (error) {
    if (!(error instanceof OSError)) throw error; // the peer has gone, or takes too long
  } finally {
    socket.close();
  }
}
