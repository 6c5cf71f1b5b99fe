/**
 * The limits of the number of open requests, and the wait for room under them.
 *
 * @module
 */

import type { Readiness } from "../waiting/pending_operation.ts";
import type { AcceptRate } from "./accept_rate.ts";
import type { ActiveRequests } from "./active_requests.ts";
import type { SharedPlaces } from "./shared_places.ts";

/**
 * The policy of a server with `maxConnections` open requests: `"wait"` accepts no more until one ends, `"reject"` accepts
 * and closes.
 *
 * @category Options
 */
export type MaxConnectionsPolicy = "wait" | "reject";

/** The limits of a server with a mix-in. */
export interface ConnectionLimits {
  /** The most requests at a time. */
  maxConnections: number;
  /** The policy at the limit. */
  maxConnectionsPolicy: MaxConnectionsPolicy;
  /** The most requests of one client at a time. */
  maxConnectionsPerClient: number;
  /** Whether closing the server waits for the open requests. */
  blockOnClose: boolean;
}

/**
 * The most requests of a server without a mix-in: it handles one, and the others make their TLS handshakes, or send
 * their PROXY headers. As many as a mix-in allows by default.
 */
const PENDING_MAX = 1024;

/** Limits the requests of a server. Ready while the server may get another. */
export class RequestLimits implements Readiness {
  readonly #server: Readonly<Partial<ConnectionLimits>>;
  readonly #open: ActiveRequests;
  /** The settings of the server; a subclass may override its attributes of the same names. */
  readonly settings: ConnectionLimits = {
    maxConnections: Infinity,
    maxConnectionsPolicy: "wait",
    maxConnectionsPerClient: Infinity,
    blockOnClose: true,
  };
  /** In a worker that accepts, the places that it shares with the other workers; undefined otherwise. */
  places: SharedPlaces | undefined = undefined;
  /** The limit of the rate of connections; undefined if there was none yet. */
  rate: AcceptRate | undefined = undefined;
  /** Whether the server closes, and takes the last connections even beyond `maxConnections`. */
  closing = false;
  #suspended = false;
  #reserved = 0;
  #room: PromiseWithResolvers<void> | undefined;

  /**
   * @param server The server. Its attributes are read at each use, because a subclass may change them.
   * @param open Its open requests.
   */
  constructor(
    server: Readonly<Partial<ConnectionLimits>>,
    open: ActiveRequests,
  ) {
    this.#server = server;
    this.#open = open;
  }

  /** The most requests at a time. */
  get max(): number {
    return this.#server.maxConnections ?? PENDING_MAX;
  }

  /** Whether closing the server waits for the requests. */
  get blockOnClose(): boolean {
    return this.#server.blockOnClose ?? true;
  }

  /** Whether the server gets no requests for a while. */
  get suspended(): boolean {
    return this.#suspended;
  }

  set suspended(suspended: boolean) {
    this.#suspended = suspended;
    this.noteChange();
  }

  /** The number of requests that children may begin by themselves, besides those that are open. */
  get reserved(): number {
    return this.#reserved;
  }

  set reserved(reserved: number) {
    this.#reserved = reserved;
    this.noteChange();
  }

  /** Changes settings. */
  set(settings: Partial<ConnectionLimits>): void {
    Object.assign(this.settings, settings);
    this.noteChange();
  }

  /** Whether as many requests are open as may be, and the server waits for one to end. */
  get full(): boolean {
    if (this.places !== undefined) return this.places.full;
    return this.#open.size + this.#reserved >= this.max &&
      this.#server.maxConnectionsPolicy !== "reject";
  }

  get ready(): boolean {
    return this.places?.ready ?? (!this.#suspended && !this.full);
  }

  /** Resolves when there may be room. */
  nextChange(): Promise<void> {
    if (this.places !== undefined) return this.places.nextChange();
    return (this.#room ??= Promise.withResolvers()).promise;
  }

  /** Ends the wait for room if there is some now: a request has ended, a limit has changed, or the server was resumed. */
  noteChange(): void {
    if (this.#room === undefined || !this.ready) return;
    this.#room.resolve();
    this.#room = undefined;
  }

  /** Returns the limit that a request that has begun exceeds; undefined if there is none. */
  exceeds(
    request: unknown,
  ): "maxConnections" | "maxConnectionsPerClient" | undefined {
    const exceeded = this.places?.exceeded ?? this.#open.size > this.max;
    if (exceeded && !this.closing) return "maxConnections";
    const most = this.#server.maxConnectionsPerClient ?? Infinity;
    if (most === Infinity) return undefined;
    const client = this.#open.of(request)?.client;
    const exceeds = client !== undefined && this.#open.countOf(client) > most;
    return exceeds ? "maxConnectionsPerClient" : undefined;
  }
}
