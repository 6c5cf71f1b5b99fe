/**
 * The end of a connection: of one direction, of a request, and of the socket.
 *
 * @module
 */

import { checkDirection, checkTimeout } from "../base/arguments.ts";
import { SHUT_RD, SHUT_WR } from "../base/constants.ts";
import { OSError } from "../base/errors.ts";
import {
  type AbortOptions,
  checkAborted,
  checkSignal,
  endOf,
} from "../waiting/abort.ts";
import { unawaited } from "../waiting/promises.ts";
import { failLater, nextTurn } from "../waiting/timeouts.ts";
import type { SocketState } from "./state.ts";

/** The most bytes dropped at a time. */
const CHUNK = 16384;

/** The seconds that a client may delay the end of its request, if the socket has no timeout. Arbitrary. */
const END_SECONDS = 2;

/** Shuts down one direction of a connection, or both. */
export async function shutdown(
  state: SocketState,
  how: number,
  { signal }: AbortOptions,
): Promise<void> {
  try {
    checkSignal(signal, "shutdown");
    state.checkOpen("shutdown");
    checkDirection(how);
    const stream = state.connected("shutdown", "ENOTCONN");
    const limit = state.limit("shutdown", undefined, signal);
    if (how !== SHUT_WR) stream.receiveBuffer.stop();
    if (how !== SHUT_RD) await stream.endWrite(limit);
  } catch (error) {
    return await failLater(error);
  }
}

/**
 * Ends the stream of a request within the socket's timeout. Without a timeout, the close itself is limited to
 * {@linkcode END_SECONDS}.
 */
export async function endStream(state: SocketState): Promise<void> {
  state.checkOpen("shutdown");
  const stream = state.connected("shutdown", "ENOTCONN");
  await stream.endWrite(
    state.limit("shutdown"),
    () => state.limit("shutdown", END_SECONDS),
  );
}

/** Resolves when the socket is closed and the system has released it. */
export function waitClosed(
  state: SocketState,
  { signal }: AbortOptions,
): Promise<void> {
  const released = state.whenReleased();
  if (signal === undefined) return released;
  return unawaited(endOf(released, signal, "waitClosed"));
}

/** The methods of a `Socket` that a lingering close calls. */
interface LingeringSocket {
  settimeout(seconds: number | null): void;
  setdeadline(seconds: number | null): void;
  shutdown(how: number, options: AbortOptions): Promise<void>;
  recvInto(
    buffer: Uint8Array,
    nbytes: number,
    flags: number | AbortOptions,
  ): Promise<number>;
  close(): void;
}

/**
 * Ends sending, drops received bytes until the peer closes, and closes. The limit is time and not bytes, as in nginx: a
 * limit in bytes would cut off a peer with a large upload, which then loses the answer.
 *
 * @param socket The socket. Closed at the end, also after an error.
 * @param seconds The limit of the whole close.
 * @param timeout The limit of the wait for more bytes.
 * @param options A signal that closes the socket at once.
 */
export async function lingeringClose(
  socket: LingeringSocket,
  seconds: number,
  timeout: number,
  options: AbortOptions,
): Promise<void> {
  checkTimeout(seconds);
  checkTimeout(timeout);
  checkSignal(options.signal, "lingeringClose");
  try {
    socket.settimeout(null);
    socket.setdeadline(seconds);
    await socket.shutdown(SHUT_WR, options);
    socket.settimeout(timeout);
    const dropped = new Uint8Array(CHUNK);
    const flags = options.signal === undefined ? 0 : options;
    while (await socket.recvInto(dropped, 0, flags) > 0);
  } catch (error) {
    checkAborted(options.signal);
    if (!(error instanceof OSError)) throw error; // the peer has gone, or takes too long
    await nextTurn(); // or the socket was closed before
  } finally {
    socket.close();
  }
}
