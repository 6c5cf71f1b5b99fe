/**
 * An open request of a server, and the number of open requests of each client.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import type { ObservedRequest } from "./observed_request.ts";

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
  /** Whether it is one of the {@linkcode OpenRequests} of its server, and its neighbours there. */
  open = false;
  before: ActiveRequest | undefined = undefined;
  behind: ActiveRequest | undefined = undefined;
  /** Aborted when the server shuts down. Created when the handler asks for its signal. */
  declare controller: AbortController | undefined;
  /** Whether its TLS handshake has ended well; undefined without one. */
  declare secured: boolean | undefined;
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

/** Returns the key of a client: its host or path; undefined for an unnamed Unix socket. */
export function clientOf(address: Address | undefined): string | undefined {
  return (typeof address === "string" ? address : address?.[0]) || undefined;
}

/** Counts the requests of each client. A client without a name is not counted. */
export class ClientCounts {
  readonly #counts = new Map<string, number>();

  /** @param requests The requests that are open already. */
  constructor(requests: Iterable<{ readonly client: string | undefined }>) {
    for (const { client } of requests) this.change(client, 1);
  }

  /** Returns the number of requests of a client. */
  of(client: string): number {
    return this.#counts.get(client) ?? 0;
  }

  /** Counts a request that begins, 1, or ends, -1. */
  change(client: string | undefined, change: 1 | -1): void {
    if (client === undefined) return;
    const now = this.of(client) + change;
    if (now > 0) this.#counts.set(client, now);
    else this.#counts.delete(client);
  }
}
