/**
 * Closes the socket of a blocking handler without losing bytes that were sent.
 *
 * @module
 */

import { checkTimeout } from "../base/arguments.ts";
import {
  type AbortOptions,
  checkAborted,
  checkSignal,
} from "../waiting/abort.ts";
import { SHUT_WR } from "../base/constants.ts";
import { OSError } from "../base/errors.ts";

/** The most bytes dropped at a time. */
const CHUNK = 16384;

/** The methods of a `BlockingSocket` that a lingering close calls. */
interface LingeringSocket {
  settimeout(seconds: number | null): void;
  setdeadline(seconds: number | null): void;
  shutdown(how: number, options: AbortOptions): void;
  recvInto(
    buffer: Uint8Array,
    nbytes: number,
    flags: number | AbortOptions,
  ): number;
  close(): void;
}

/**
 * Closes a socket as `lingeringClose()` of `Socket` does: ends sending, and drops received bytes until the client
 * closes.
 *
 * @param socket The socket. Closed at the end, also after an error.
 * @param seconds The limit of the whole close.
 * @param timeout The limit of the wait for more bytes.
 * @param options A signal that closes the socket at once.
 */
export function lingeringCloseSync(
  socket: LingeringSocket,
  seconds: number,
  timeout: number,
  options: AbortOptions,
): void {
  checkTimeout(seconds);
  checkTimeout(timeout);
  checkSignal(options.signal, "lingeringClose");
  try {
    socket.settimeout(null);
    socket.setdeadline(seconds);
    socket.shutdown(SHUT_WR, options);
    socket.settimeout(timeout);
    const dropped = new Uint8Array(CHUNK);
    const flags = options.signal === undefined ? 0 : options;
    while (socket.recvInto(dropped, 0, flags) > 0);
  } catch (error) {
    checkAborted(options.signal);
    if (!(error instanceof OSError)) throw error; // the peer is gone, or takes too long
  } finally {
    socket.close();
  }
}
