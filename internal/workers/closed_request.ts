/**
 * The request of a connection that a worker has accepted, for hooks and subscribers in the main thread.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { AF_INET, AF_INET6, SOCK_STREAM } from "../base/constants.ts";
import { Socket } from "../socket/socket_object.ts";

/** Returns a closed socket of the client's family: the connection itself is the worker's. */
export function closedRequest(client: Address | null): Socket {
  const host = Array.isArray(client) ? client[0] : "";
  const socket = new Socket(
    host.includes(":") ? AF_INET6 : AF_INET,
    SOCK_STREAM,
  );
  socket.close();
  return socket;
}
