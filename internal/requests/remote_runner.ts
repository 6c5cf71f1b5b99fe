/**
 * The pools of workers or children, as the registry of requests sees them.
 *
 * @module
 */

import type { OSError } from "../base/errors.ts";

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
  /** Sets the seconds that a connection may be idle which a child has itself; null is no limit. */
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
