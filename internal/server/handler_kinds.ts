/**
 * Checks that a class of handlers fits the requests of its server.
 *
 * @module
 */

import { SOCK_DGRAM } from "../base/constants.ts";

/** A class of handlers for one kind of request. */
export interface HandlerKind {
  /** The name of the class. */
  readonly name: string;
  /** Whether its requests are datagrams; they are connections otherwise. */
  readonly datagrams: boolean;
  /** The class to extend for the other kind. */
  readonly instead: string;
}

/** The kinds, by the prototypes of the classes. */
export const handlerKinds: WeakMap<object, HandlerKind> = new WeakMap();

/**
 * The `getRequest` methods that return connections of a stream socket, or datagrams of a datagram socket. Other
 * overrides may return requests of any kind.
 */
export const getsUsualRequests: WeakSet<object> = new WeakSet();

function handlerKindOf(
  Handler: { prototype: object },
): HandlerKind | undefined {
  let prototype: object | null = Handler.prototype;
  while (prototype !== null) {
    const kind = handlerKinds.get(prototype);
    if (kind !== undefined) return kind;
    prototype = Object.getPrototypeOf(prototype);
  }
}

/**
 * Throws unless the handlers fit the requests of a server.
 *
 * @param Handler The class of the handlers.
 * @param socketType The type of the server's socket.
 * @param doing The beginning of the message.
 * @throws {TypeError} if they are for the other kind.
 */
export function checkHandlerKind(
  Handler: { name: string; prototype: object },
  socketType: number,
  doing: string,
): void {
  const datagrams = socketType === SOCK_DGRAM;
  const kind = handlerKindOf(Handler);
  if (kind === undefined || kind.datagrams === datagrams) return;
  const is = handlerKinds.has(Handler.prototype)
    ? ""
    : `is a ${kind.name}, which `;
  const [needs, has] = datagrams
    ? ["a connection", "a datagram"]
    : ["a datagram", "a connection"];
  throw new TypeError(
    `${doing}: ${Handler.name} ${is}needs ${needs} as its request, which is ${has} here; extend ${kind.instead}`,
  );
}
