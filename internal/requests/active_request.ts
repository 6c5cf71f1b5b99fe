/**
 * An open request of a server.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { ObservedRequest } from "./observed_request.ts";
import { clientOf } from "./client_counts.ts";

/**
 * How a request ends: its handler has returned, has thrown, or was between two messages as the server shut down; the
 * server has cut it off, or has turned it away.
 */
export type RequestEnd = "finished" | "failed" | "idle" | "forced" | "rejected";

/** An open request. A member with `declare` has no field until it is set. */
export class ActiveRequest<R = unknown> {
  /** Whether a task ends the request, and not the loop. */
  detached = false;
  /** Whether its time has begun: not while its PROXY header, its verdict or its handshake is to come. */
  timed = false;
  /** Aborted when the server shuts down. Created when the handler asks for its signal. */
  declare controller: AbortController | undefined;
  /** How the request counts when it ends. */
  result: RequestEnd = "finished";
  /** How the request ended; undefined while it is under way. */
  declare end: RequestEnd | undefined;
  /** Publishes the events of the request; undefined if nobody listened when the request began. */
  declare observed: ObservedRequest | undefined;

  /**
   * @param request The request itself, or the one that its handler has put in its place.
   * @param clientAddress The client's address; undefined while the PROXY header that has it is to come.
   */
  constructor(
    public request: R,
    public clientAddress: Address | undefined,
  ) {}

  /** The client's host, or path; undefined for a client without a name. */
  get client(): string | undefined {
    return clientOf(this.clientAddress);
  }
}

/**
 * An open request whose client is known.
 *
 * @typeParam R The type of a request.
 */
export type KnownRequest<R = unknown> = ActiveRequest<R> & {
  clientAddress: Address;
};
