/**
 * The calls of a socket that servers make, and programs do not.
 *
 * @module
 */

import type { Address, AddressLike } from "../base/address.ts";
import { SHUT_WR } from "../base/constants.ts";
import { sendto } from "./send.ts";
import { accepted, Socket, stateOf } from "./socket_object.ts";

/**
 * Accepts without a promise.
 *
 * @returns The connection and the peer's address; undefined if no connection waits.
 */
export function acceptNow(socket: Socket): [Socket, Address] | undefined {
  const { listener, listening } = stateOf(socket);
  if (!listening || !listener?.pending.ready) return undefined;
  return accepted(socket, listener.take());
}

/**
 * Takes the connections that a socket has accepted before anybody asked, if a close would lose them to the next
 * process.
 */
export function takeAcceptedAhead(socket: Socket): [Socket, Address][] {
  const { listener } = stateOf(socket);
  if (listener === undefined) return [];
  return listener.takeAhead().map((transport) => accepted(socket, transport));
}

/** The seconds that a client may delay the end of its request, if the socket has no timeout. Arbitrary. */
const END_SECONDS = 2;

/**
 * Ends the stream of a request, or calls an override of `shutdown`. The end takes at most the socket's timeout; without a
 * timeout, the close itself is limited to {@linkcode END_SECONDS}. Throws on a socket that is closed or not connected. An
 * async function would take 500 bytes more of each connection.
 */
export function endRequest(socket: Socket): Promise<void> {
  if (socket.shutdown !== Socket.prototype.shutdown) {
    return socket.shutdown(SHUT_WR);
  }
  const state = stateOf(socket);
  state.checkOpen("shutdown");
  const stream = state.connected("shutdown", "ENOTCONN");
  return stream.endWrite(
    state.limit("shutdown"),
    () => state.limit("shutdown", END_SECONDS),
  );
}

/** Closes the connection of a request, and drops the bytes that are not sent yet. Does nothing for a datagram. */
export function cutOff(request: unknown): void {
  if (request instanceof Socket) stateOf(request).close(true);
}

/** Sends a datagram as `sendto` does, within `timeout` seconds instead of the socket's timeout, if given. */
export function sendtoWithin(
  socket: Socket,
  data: Uint8Array,
  address: AddressLike,
  timeout?: number,
): Promise<number> {
  return timeout === undefined || socket.sendto !== Socket.prototype.sendto
    ? socket.sendto(data, address)
    : sendto(stateOf(socket), data, 0, address, timeout);
}

/** Reports whether another process accepts on a socket next. */
export function isPassedOn(socket: Socket): boolean {
  return stateOf(socket).listener?.transport.takeAhead !== undefined;
}
