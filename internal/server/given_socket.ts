/**
 * Servers on a socket that was opened before: the first argument of their constructor is the socket.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { AF_UNIX, SOCK_STREAM } from "../base/constants.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import { type ServerOptions, setting } from "../stages/server_options.ts";
import type { ServerAddress } from "../stages/stages.ts";

/**
 * Returns the address of a server whose constructor got an address or a socket.
 *
 * @param given The address, or the socket.
 * @param Class The class of the server.
 * @param options The options of the server.
 * @throws {TypeError} if the socket is not of the server's kind, or is not bound.
 */
export function addressOfGiven<A extends Address>(
  given: ServerAddress<A> | Socket,
  Class: { readonly name: string; readonly socketType: number },
  options: ServerOptions,
): ServerAddress<A> {
  if (!(given instanceof Socket)) return given;
  const family = setting({ constructor: Class }, options, "addressFamily");
  const { socketType } = Class;
  const wanted = kindOf(family, socketType);
  const state = stateOf(given);
  const bound = (state.listener ?? state.datagram) !== undefined;
  if (!bound || kindOf(given.family, given.type) !== wanted) {
    const want = `${
      socketType === SOCK_STREAM ? "listening" : "bound"
    } ${wanted}`;
    throw new TypeError(
      `Cannot make a server of ${Class.name}: it needs a ${want}, got ${
        describe(given)
      }`,
    );
  }
  return given.getsockname() as ServerAddress<A>;
}

function kindOf(family: number, type: number): string {
  const stream = type === SOCK_STREAM;
  if (family !== AF_UNIX) return stream ? "TCP socket" : "UDP socket";
  return stream ? "Unix stream socket" : "Unix datagram socket";
}

/** Returns the state and the kind of a socket, for a message. */
function describe(socket: Socket): string {
  return `${conditionOf(socket)} ${kindOf(socket.family, socket.type)}`;
}

function conditionOf(socket: Socket): string {
  const { closed, stream, listening, listener, datagram } = stateOf(socket);
  if (closed) return "a closed";
  if (stream !== undefined) return "a connected";
  if (listening) return "a listening";
  return (listener ?? datagram) !== undefined ? "a bound" : "an unbound";
}
