/**
 * A close that does not cut off what was sent.
 *
 * @module
 */

import { checkTimeout } from "../base/arguments.ts";
import { SHUT_WR } from "../base/constants.ts";
import { OSError } from "../base/errors.ts";
import { nextTurn } from "../waiting/timeouts.ts";

/** Bytes that are dropped at a time. */
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
 * Ends sending, drops what comes until the peer closes, and closes. There is no limit in bytes, as in nginx: a peer
 * that is cut off after so many loses the answer, however large its upload.
 *
 * @param socket The socket. Closed in any case.
 * @param seconds How long it may take altogether.
 * @param timeout How long to wait for more bytes.
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
