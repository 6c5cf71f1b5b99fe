/**
 * Binding a server to a socket on which its workers accept.
 *
 * @module
 */

import { checkAddress } from "../base/address.ts";
import { openAnchor } from "../runtime/shared_listener.ts";
import { Socket } from "../socket/socket_object.ts";
import type { BoundServer } from "./bind_passable.ts";

/** Binds a server to a shared socket, on which it never accepts itself. */
export function bindShared(server: BoundServer): void {
  const { addressFamily: family, requestQueueSize } = server;
  const address = checkAddress(family, server.serverAddress, "bind");
  const anchor = openAnchor(family, address, requestQueueSize);
  server.socket.close();
  server.socket = Socket.from(anchor);
  server.serverAddress = server.socket.getsockname();
}
