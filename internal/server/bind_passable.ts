/**
 * Binding a server to a listener of `node:net`. Its connections can be passed to a child process, and `node:tls` takes
 * them as they are.
 *
 * @module
 */

import { type Address, checkAddress } from "../base/address.ts";
import { checkPathOptions } from "../base/arguments.ts";
import { SOCK_STREAM } from "../base/constants.ts";
import { canPass, openNodeListener } from "../runtime/open_node_listener.ts";
import { Socket } from "../socket/socket_object.ts";

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

/** Binds a server to a listener of `node:net`. Returns false if the server has a setting that `node:net` lacks. */
export function bindPassable(server: BoundServer): boolean {
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
  });
  server.socket.close();
  server.socket = Socket.from(listener);
  server.serverAddress = server.socket.getsockname();
  return true;
}

/** Reports whether a server can accept connections of `node:net`. */
function acceptsPassable(server: BoundServer): boolean {
  const { socketType, allowReusePort, serverAddress } = server;
  return socketType === SOCK_STREAM && !allowReusePort && canPass() &&
    !hasScope(serverAddress);
}

/** Reports whether an address names an interface, such as `fe80::1%eth0`: `node:net` cannot bind to that. */
function hasScope(address: Address): boolean {
  return Array.isArray(address) && String(address[0]).includes("%");
}
