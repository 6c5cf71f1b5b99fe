/**
 * The limits of the number of requests of a server.
 *
 * @module
 */

/**
 * What to do when `maxConnections` requests are open: stop accepting, or accept and close.
 *
 * @category Options
 */
export type MaxConnectionsPolicy = "wait" | "reject";

/** The limits of a server with a mix-in. */
export interface ConnectionLimits {
  /** The most requests at a time. */
  maxConnections: number;
  /** What to do at the limit. */
  maxConnectionsPolicy: MaxConnectionsPolicy;
  /** The most requests of one client at a time. */
  maxConnectionsPerClient: number;
  /** Whether closing the server waits for the requests under way. */
  blockOnClose: boolean;
}
