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
  /** The state of the server. */
  state: ServerState;
  /** Open requests. */
  active: number;
  /**
   * Open requests whose handlers wait for the next message in `waitForRequest`. Child processes report theirs a
   * tenth of a second late at most.
   */
  idle: number;
  /**
   * Requests that the server has got so far. Each of them is open, or is counted once in `finished`, `failed`,
   * `forced`, `rejected`, `handshakeErrors` or `proxyErrors`.
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
  /**
   * Connections without a valid PROXY header: it came from a peer that is not trusted, was malformed, or came too late.
   */
  proxyErrors: number;
  /** The number of times that each limit was reached. */
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
 * The name of a limit: the setting of the server, of its `SSLContext` (`handshakeTimeout`) or of its handlers
 * (`lineLimit`). Each time that a limit is reached, the server counts it in `status.limits` and calls `handleLimit`.
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
 * The reason why a server turns a request away: the name of the limit that it exceeds, the hook that has refused it, or
 * `"draining"` while the server shuts down.
 *
 * @category Servers
 */
export type RejectReason =
  | "maxConnections"
  | "maxConnectionsPerClient"
  | "verifyRequest"
  | "verifyPeer"
  | "draining";
