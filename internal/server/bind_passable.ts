/**
 * Binding a server for accepts outside its own loop: to a listener of `node:net`, whose connections can be passed to a child
 * process and which `node:tls` takes as they are, or to a socket that its workers share.
 *
 * @module
 */

import { type Address, checkAddress } from "../base/address.ts";
import { checkPathOptions } from "../base/arguments.ts";
import { SOCK_STREAM } from "../base/constants.ts";
import { openNodeListener } from "../runtime/opening/open_node_listener.ts";
import { ParkedListener } from "../runtime/node/parked_listener.ts";
import { openAnchor } from "../runtime/opening/shared_listener.ts";
import type { Transport } from "../runtime/transport/transport.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import { canBindHandles } from "../runtime/node/node_handles.ts";

/** The part of a server that is bound. */
export interface BoundServer {
  socket: Socket;
  serverAddress: Address;
  readonly addressFamily: number;
  readonly socketType: number;
  readonly requestQueueSize: number;
  readonly allowReusePort: boolean;
  readonly pathMode: number | null;
  readonly replaceStalePath: boolean;
}

/**
 * Binds a server to a listener of `node:net`. Returns false if the server has a setting that `node:net` lacks.
 *
 * @param server The server.
 * @param parked Whether other processes accept, and this one only keeps the socket.
 */
export function bindPassable(server: BoundServer, parked = false): boolean {
  if (!acceptsPassable(server)) return false;
  const { addressFamily: family, pathMode, replaceStalePath } = server;
  const address = checkAddress(family, server.serverAddress, "bind");
  checkPathOptions(address, { pathMode, replaceStalePath });
  const listener = openNodeListener({
    family,
    address,
    backlog: server.requestQueueSize,
    pathMode,
    replaceStalePath,
    parked,
  });
  replaceSocket(server, listener);
  return true;
}

/** Binds a server to a socket that its workers share, and on which it never accepts itself. */
export function bindShared(server: BoundServer): void {
  const { addressFamily: family, requestQueueSize } = server;
  const address = checkAddress(family, server.serverAddress, "bind");
  replaceSocket(server, openAnchor(family, address, requestQueueSize));
}

function replaceSocket(server: BoundServer, listener: Transport): void {
  server.socket.close();
  server.socket = Socket.from(listener);
  server.serverAddress = server.socket.getsockname();
}

/**
 * Returns the listener that this process only keeps.
 *
 * @throws {Error} if the socket was bound otherwise.
 */
export function parkedListenerOf(socket: Socket): ParkedListener {
  const listener = stateOf(socket).endpoint?.transport;
  if (listener instanceof ParkedListener) return listener;
  throw new Error(
    'Cannot serve with acceptIn "children": an override of serverBind or this system has made a socket that cannot be passed to a child; use acceptIn "parent"',
  );
}

/** Reports whether a server can accept connections of `node:net`. */
function acceptsPassable(server: BoundServer): boolean {
  const { socketType, allowReusePort, serverAddress } = server;
  return socketType === SOCK_STREAM && !allowReusePort && canBindHandles() &&
    !hasScope(serverAddress);
}

/** Reports whether an address names an interface, such as `fe80::1%eth0`: `node:net` cannot bind to that. */
function hasScope(address: Address): boolean {
  return Array.isArray(address) && String(address[0]).includes("%");
}
