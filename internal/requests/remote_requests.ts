/**
 * The pools of workers and children, as the registry of requests sees them: those that run requests, and those that accept
 * them too.
 *
 * @module
 */

import type { OSError } from "../base/errors.ts";
import type { ServerCloseReport } from "../stages/server_options.ts";
import type { ActiveRequest } from "./active_requests.ts";
import type { RequestCounters } from "./request_counters.ts";
import type { ByteCounts } from "../socket/stream.ts";

/** Requests whose time is up, and the errors that end them. */
export type ExpiredRequests = ReadonlyMap<unknown, OSError>;

/** A pool that runs the requests of a server elsewhere. */
export interface RemoteRunner {
  /** The number of handlers that wait between two messages. */
  readonly idle: number;
  /** Ends the waits between two messages: the server drains. */
  drain(): void | Promise<void>;
  /** Ends requests whose time is up: aborts their signals, and lets the calls on their connections fail. */
  expire(expired: ExpiredRequests): void;
  /** Sets the seconds that a connection that a child holds itself may be idle; null is no limit. */
  limitIdle(seconds: number | null): void;
  /** Looks at `maxConnections` and at whether the server is suspended, if the children accept. */
  changeAccepts?(): void;
  /** Resolves when all requests that began elsewhere until now are registered. */
  settled?(): Promise<void> | undefined;
}

/** The errors of the requests whose time is up: they may still wait for a worker or a child. */
const errors = new WeakMap<object, OSError>();

/** Notes that the time of a request is up. */
export function noteExpired(request: unknown, error: OSError): void {
  errors.set(request as object, error);
}

/** Throws the error of a request whose time is up. */
export function checkTime(request: unknown): void {
  const error = errors.get(request as object);
  if (error !== undefined) throw error;
}

/** The limits of a request's time, in seconds; null is no limit. */
export interface TimeLimits {
  /** The seconds that a request may take. */
  readonly requestTimeout: number | null;
  /** The seconds that a connection may be idle. */
  readonly idleTimeout: number | null;
}

/** The workers of a server that accept by themselves, and their requests. */
export interface AcceptingWorkers {
  /** The number of open requests. */
  readonly size: number;
  /** The number of handlers that wait between two messages. */
  readonly idle: number;
  /** The hosts of the clients with open requests. */
  readonly clients: string[];
  /** The counters of these requests. */
  readonly counters: RequestCounters & ByteCounts;
  /** Resolves when a request has ended, or at once if `done` returns true. */
  changed(done: () => boolean): Promise<void>;
  /** Stops or starts accepting. */
  suspend(suspended: boolean): void;
  /** Sets the most requests at a time, and whether to wait or to reject at the limit. */
  limit(
    limits: { maxConnections: number; maxConnectionsPolicy: "wait" | "reject" },
  ): void;
  /** Sets limits of time. */
  limitTime(limits: Partial<TimeLimits>): void;
  /** Stops accepting for good, and tells the handlers that the server shuts down. */
  drain(): void;
  /** Cuts off the open requests after the drain, and reports how many ended in which way. */
  giveUp(): Promise<ServerCloseReport>;
}

/** The calls that the registry of a worker that accepts makes. */
export interface RequestWatch {
  /** Called when a request has begun. */
  began(active: ActiveRequest): void;
  /** Called when a request no longer counts as open. */
  ended(active: ActiveRequest): void;
}
