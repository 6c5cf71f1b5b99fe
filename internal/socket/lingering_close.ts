/**
 * Closes a connection without losing bytes that were sent.
 *
 * @module
 */

import { checkTimeout } from "../base/arguments.ts";
import { SHUT_WR } from "../base/constants.ts";
import { OSError } from "../base/errors.ts";
import { nextTurn } from "../waiting/timeouts.ts";

/** The most bytes dropped at a time. */
const CHUNK = 16384;

/** The methods of a `Socket` that a lingering close calls. */
interface LingeringSocket {
  settimeout(seconds: number | null): void;
  setdeadline(seconds: number | null): void;
  shutdown(how: number): Promise<void>;
  recvInto(buffer: Uint8Array): Promise<number>;
  close(): void;
}

/**
 * Ends sending, drops received bytes until the peer closes, and closes. The limit is time and not bytes, as in nginx: a
 * limit in bytes would cut off a peer with a large upload, which then loses the answer.
 *
 * @param socket The socket. Closed at the end, also after an error.
 * @param seconds The limit of the whole close.
 * @param timeout The limit of the wait for more bytes.
 */
export async function lingeringClose(
  socket: LingeringSocket,
  seconds: number,
  timeout: number,
): Promise<void> {
  checkTimeout(seconds);
  checkTimeout(timeout);
  try {
    socket.settimeout(null);
    socket.setdeadline(seconds);
    await socket.shutdown(SHUT_WR);
    socket.settimeout(timeout);
    const dropped = new Uint8Array(CHUNK);
    while (await socket.recvInto(dropped) > 0);
  } catch (error) {
    if (!(error instanceof OSError)) throw error; // the peer has gone, or takes too long
    await nextTurn(); // or the socket was closed before
  } finally {
    socket.close();
  }
}
