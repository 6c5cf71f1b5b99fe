/**
 * Reading the PROXY header at the start of a connection.
 *
 * @module
 */

import { osError } from "../base/errors.ts";
import { joinBytes } from "../base/memory.ts";
import { headerLength, readHeader } from "../proxy/codec.ts";
import { HEADER_MAX, type ProxyHeader, READING } from "../proxy/header.ts";
import { noteHeader } from "../proxy/known_headers.ts";
import { type Socket, stateOf } from "../socket/socket_object.ts";
import type { WaitLimit } from "../waiting/timeouts.ts";

/** The bytes of connections that have ended before their first byte: checks that they can be opened, mostly. */
const silent = new WeakSet<Error>();

/** Reports whether an error means that the peer has left without a byte. */
export function leftSilently(error: Error): boolean {
  return silent.has(error);
}

/**
 * Reads the header of a connection, in however many pieces it comes. The bytes behind it stay in the socket.
 *
 * @param socket The connection.
 * @param limit Ends the wait.
 * @throws {OSError} EPROTO for bytes that are no header, ETIMEDOUT, or ECONNRESET if the peer left before its end.
 */
export async function readProxyHeader(
  socket: Socket,
  limit: WaitLimit,
): Promise<ProxyHeader> {
  const stream = stateOf(socket).connected(READING, "ENOTCONN");
  let bytes = new Uint8Array(0);
  for (;;) {
    const piece = await stream.recv(HEADER_MAX, limit);
    if (piece.length === 0) throw endError(bytes.length);
    bytes = bytes.length === 0 ? piece : joinBytes([bytes, piece]);
    const length = headerLength(bytes);
    if (length === undefined || bytes.length < length) continue;
    const own = bytes.slice(0, length);
    const header = readHeader(own);
    if (bytes.length > length) {
      stream.receiveBuffer.putBack(bytes.subarray(length));
    }
    noteHeader(socket, own, header);
    return header;
  }
}

function endError(count: number): Error {
  const reason = count === 0
    ? "the peer left without one"
    : `the peer left after ${count} bytes`;
  const error = osError("ECONNRESET", { syscall: READING, reason });
  if (count === 0) silent.add(error);
  return error;
}
