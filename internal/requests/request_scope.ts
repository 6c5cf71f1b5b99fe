/**
 * Finds out whether code runs on behalf of a request: in a handler, in a hook of its server, or in a task of theirs.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";

const scope = new AsyncLocalStorage<object>();

/**
 * Runs the loop of a server, or one request. Code that runs there, also after an `await`, is inside of the server. The
 * loop enters once, because entering for each datagram costs 0.4 us.
 */
export function enter<T>(server: object, run: () => T): T {
  return isInside(server) ? run() : scope.run(server, run);
}

/** Reports whether the caller is part of a request of the server, so that a wait for all requests would never end. */
export function isInside(server: object): boolean {
  return scope.getStore() === server;
}
