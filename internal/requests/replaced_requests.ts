/**
 * Requests that their handlers have put others in the place of, such as a connection that became one over TLS.
 *
 * @module
 */

import { Socket, stateOf } from "../socket/socket_object.ts";

/** The requests that were replaced, and those in their place. */
export class ReplacedRequests {
  readonly #current = new WeakMap<object, unknown>();
  readonly #former = new WeakMap<object, unknown>();

  /** Notes that `current` is in the place of `former` from now on. */
  set(former: unknown, current: unknown): void {
    if (!isObject(former) || !isObject(current)) return;
    this.#current.set(former, current);
    this.#former.set(current, former);
  }

  /** Returns the request that is in the place of `request`: itself, unless it was replaced. */
  currentOf(request: unknown): unknown {
    let current = request;
    while (isObject(current) && this.#current.has(current)) {
      current = this.#current.get(current);
    }
    return current;
  }

  /** Closes the connections that `request` is in the place of, if they are still open. */
  closeFormer(request: unknown): void {
    let former = request;
    while (isObject(former) && this.#former.has(former)) {
      former = this.#former.get(former);
      if (former instanceof Socket) stateOf(former).close(false);
    }
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
