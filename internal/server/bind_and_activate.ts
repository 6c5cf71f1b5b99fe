/**
 * The start of a server: `serverBind` and `serverActivate`, or the socket that its constructor got.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { AF_UNIX, SOCK_STREAM } from "../base/constants.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import { type ServerOptions, setting } from "../stages/server_options.ts";
import type { ServerAddress } from "../stages/stages.ts";
import { Start } from "../waiting/start.ts";
import { publishListening } from "../stages/events.ts";
import { noteBound } from "./never_served.ts";

/** The part of a server that starts. */
interface StartingServer {
  readonly serverAddress: Address;
  readonly socket: { close(): void };
  fileno(): number;
  serverBind(): void | Promise<void>;
  serverActivate(): void | Promise<void>;
}

/**
 * Binds and activates a server, or only activates a server whose socket is bound already (`bound`). If one of the two
 * returns a promise, the start goes on in the background, and {@linkcode Start.of} has it. A failure closes the socket.
 *
 * @throws The error of a stage that returned no promise.
 */
export function bindAndActivate(server: StartingServer, bound = false): void {
  let starting: void | Promise<void>;
  try {
    starting = bound ? server.serverActivate() : begin(server);
  } catch (error) {
    server.socket.close();
    throw error;
  }
  if (starting === undefined) return started(server);
  const start: Start = new Start(
    server,
    finish(server, starting, () => start.cancelled),
  );
}

function begin(server: StartingServer): void | Promise<void> {
  const bound = server.serverBind();
  if (bound === undefined) return server.serverActivate();
  return activateAfter(bound, server);
}

async function activateAfter(
  bound: Promise<void>,
  server: StartingServer,
): Promise<void> {
  await bound;
  await server.serverActivate();
}

/** Ends a start that took time. Closes the socket of a server that was closed before its start ended. */
async function finish(
  server: StartingServer,
  starting: Promise<void>,
  isClosed: () => boolean,
): Promise<void> {
  try {
    await starting;
  } catch (error) {
    server.socket.close();
    throw error;
  }
  if (isClosed()) server.socket.close();
  else started(server);
}

function started(server: StartingServer): void {
  noteBound(server);
  publishListening(server);
}

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
  const wanted = kindName(family, socketType);
  const state = stateOf(given);
  const bound = (state.listener ?? state.datagram) !== undefined;
  if (!bound || kindName(given.family, given.type) !== wanted) {
    const want = `${
      socketType === SOCK_STREAM ? "listening" : "bound"
    } ${wanted}`;
    throw new TypeError(
      `Cannot make a server of ${Class.name}: it needs a ${want}, got ${
        describeSocket(given)
      }`,
    );
  }
  return given.getsockname() as ServerAddress<A>;
}

function kindName(family: number, type: number): string {
  const stream = type === SOCK_STREAM;
  if (family !== AF_UNIX) return stream ? "TCP socket" : "UDP socket";
  return stream ? "Unix stream socket" : "Unix datagram socket";
}

/** Returns the state and the kind of a socket, for a message. */
function describeSocket(socket: Socket): string {
  return `${conditionOf(socket)} ${kindName(socket.family, socket.type)}`;
}

function conditionOf(socket: Socket): string {
  const { closed, stream, listening, listener, datagram } = stateOf(socket);
  if (closed) return "a closed";
  if (stream !== undefined) return "a connected";
  if (listening) return "a listening";
  return (listener ?? datagram) !== undefined ? "a bound" : "an unbound";
}
