/**
 * The server's side of what a child process cannot do itself: it asks, and this does it.
 *
 * @module
 */

import { ownBytes } from "../_socket/check.ts";
import {
  IPPROTO_TCP,
  SHUT_WR,
  SO_KEEPALIVE,
  SOL_SOCKET,
  TCP_NODELAY,
} from "../_socket/constants.ts";
import type { Socket } from "../_socket/facade.ts";
import type { CallMessage } from "./messages.ts";

/** Does what a call asks for. */
export type Relay = (call: CallMessage) => Promise<unknown>;

/** For a connection whose descriptor stays here. The one who made the request closes it. */
export function streamRelay(request: Socket): Relay {
  return async ({ operation, argument }) => {
    switch (operation) {
      case "read":
        return ownBytes(await request.recv(argument as number));
      case "write":
        return await request.sendall(argument as Uint8Array);
      case "closeWrite":
        return await request.shutdown(SHUT_WR);
      case "close":
        return request.close();
      case "setNoDelay":
        return request.setsockopt(IPPROTO_TCP, TCP_NODELAY, argument === true);
      case "setKeepAlive":
        return request.setsockopt(SOL_SOCKET, SO_KEEPALIVE, argument === true);
    }
    throw new TypeError(`Cannot ${operation}: the request is a stream`);
  };
}

/** For a datagram: replies leave from the server's own address. */
export function datagramRelay(socket: Socket): Relay {
  return async ({ operation, argument, address }) => {
    if (operation === "sendto" && address !== undefined) {
      return await socket.sendto(argument as Uint8Array, address);
    }
    throw new TypeError(`Cannot ${operation}: the request is a datagram`);
  };
}
