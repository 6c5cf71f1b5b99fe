/**
 * The limits of the number of requests of a server.
 *
 * @module
 */

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
  /** Whether closing the server waits for the requests under way. */
  blockOnClose: boolean;
}
