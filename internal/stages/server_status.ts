/**
 * The state, the counters and the limits of a server, by name.
 *
 * @module
 */

/**
 * A snapshot of a server's counters.
 *
 * @category Servers
 */
export interface ServerStatus {
  /** What the server does. */
  state: ServerState;
  /** Requests under way. */
  active: number;
  /**
   * Requests under way whose handlers wait for the next message in `waitForRequest`. Child processes report theirs a
   * tenth of a second late at most.
   */
  idle: number;
  /**
   * Requests got so far. Each of them is under way, or is counted once in `finished`, `failed`, `forced`, `rejected`,
   * `handshakeErrors` or `proxyErrors`.
   */
  accepted: number;
  /** Requests whose handlers have returned. */
  finished: number;
  /** Requests that ended with an error, also because the client was gone. */
  failed: number;
  /** Requests that the server has cut off as it closed. */
  forced: number;
  /**
   * Requests closed because `verifyRequest` rejected them, at a limit, or while the server closed; and datagrams that were
   * received and not handled when the server closed.
   */
  rejected: number;
  /** Failures of `getRequest` that the server passed over: the client was gone, or an override made a handshake that failed. */
  transientErrors: number;
  /** Failures of `getRequest` for lack of descriptors or memory. The server pauses after each. */
  resourceErrors: number;
  /** TLS handshakes that failed. */
  handshakeErrors: number;
  /** Connections without a PROXY header that counts: of a peer that is not trusted, malformed, or too late. */
  proxyErrors: number;
  /** How often each limit was reached. */
  readonly limits: Readonly<Record<LimitName, number>>;
  /**
   * Bytes received from clients so far. Over TLS the bytes count without the encryption, but with it if the handler
   * itself has started TLS in a worker. A child process that has the connection itself reports its bytes when the request
   * ends; if it dies, they are not counted.
   */
  bytesIn: number;
  /** Bytes sent to clients so far, counted as {@linkcode ServerStatus.bytesIn}. */
  bytesOut: number;
}

/**
 * The state of a server: `"created"`, before it serves; `"serving"`, in `serveForever` or `handleRequest`; `"suspended"`,
 * until `resume`; `"stopping"`, while it still serves in the `shutdownDelay` of `serve`; `"stopped"`, after `shutdown`;
 * `"draining"`, while it closes and waits for the open requests; `"closed"`.
 *
 * @category Servers
 */
export type ServerState =
  | "created"
  | "serving"
  | "suspended"
  | "stopping"
  | "stopped"
  | "draining"
  | "closed";

/**
 * A limit of a server, by the name of its setting, which is one of the server, of its `SSLContext` (`handshakeTimeout`) or
 * of its handlers (`lineLimit`): a counter in `status.limits`, and a call of `handleLimit` each time
 * that the limit is reached.
 *
 * @category Servers
 */
export type LimitName =
  | "maxConnections"
  | "maxConnectionsPerClient"
  | "maxAcceptRate"
  | "handshakeTimeout"
  | "requestTimeout"
  | "idleTimeout"
  | "proxyTimeout"
  | "lineLimit"
  | "maxPacketSize";

/**
 * Why a server turns a request away: one of its limits, the verdict of `verifyRequest` or, over TLS, of `verifyPeer`, or
 * because the server shuts down.
 *
 * @category Servers
 */
export type RejectReason =
  | "maxConnections"
  | "maxConnectionsPerClient"
  | "verifyRequest"
  | "verifyPeer"
  | "draining";
