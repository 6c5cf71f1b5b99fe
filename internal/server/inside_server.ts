/**
 * Knows the server whose loop or request runs the code, so that a handler that closes its server does not wait for itself.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";

/** The server whose loop or request runs the code. */
const scope = new AsyncLocalStorage<object>();

/**
 * Runs the loop of a server, or one request. Code that runs there, also after an `await`, is inside of the server. The
 * loop enters once, because entering for each datagram costs 0.4 us.
 */
export function enter<T>(server: object, run: () => T): T {
  return isInside(server) ? run() : scope.run(server, run);
}

/** Reports whether the caller is part of a request of the server. A wait for all requests would never end there. */
export function isInside(server: object): boolean {
  return scope.getStore() === server;
}
