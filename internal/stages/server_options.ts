/**
 * The options of servers.
 *
 * @module
 */

import type { AbortOptions } from "../waiting/abort.ts";
import { typoOf } from "../base/message_hints.ts";
import { inspect } from "../runtime/system/deno_api.ts";
import type { SSLContext } from "../ssl/ssl_context.ts";

/**
 * Options of every server. Each replaces the static field of the same name.
 *
 * @category Options
 */
export interface BaseServerOptions {
  /**
   * Seconds that `handleRequest` waits before it calls `handleTimeout`; null is no limit.
   *
   * @default {null}
   */
  timeout?: number | null;
  /**
   * Whether `handleError` prints the errors of lost clients: a connection that is reset, broken or aborted, or that
   * ends in the middle of a `readexactly`, and a read or write that times out. Python prints them. A server on the open
   * internet has many.
   *
   * @default {true}
   */
  reportLostClients?: boolean;
  /**
   * Seconds that `await using` and `serve` wait for the open requests before they cut them off; null is no limit.
   * Without a limit an idle client keeps the program running.
   *
   * @default {10}
   */
  closeTimeout?: number | null;
  /**
   * Seconds that a request may take, from `processRequest` to the end of the handler; null is no limit. Then the handler's
   * `signal` aborts with a `TimeoutError`, and the connection is cut off: calls on it throw the same error. A handler that
   * ignores both goes on, and counts as a request.
   *
   * @default {null}
   */
  requestTimeout?: number | null;
  /**
   * A value for the handlers, which read it as `this.server.shared`. Without a mix-in and with `AsyncMixIn` handlers get
   * the value itself. Each worker gets a structured clone, in which a `SharedArrayBuffer` is shared memory. Each child
   * process gets a copy, which must be plain data.
   *
   * @default {undefined}
   */
  shared?: unknown;
}

/**
 * Options of {@linkcode BaseServer.serveForever}.
 *
 * @category Options
 */
export interface ServeForeverOptions {
  /** Stops the loop when it is aborted, as {@linkcode BaseServer.shutdown} does. */
  signal?: AbortSignal;
  /**
   * Seconds between calls of `serviceActions` while no request comes; positive, and `Infinity` for never.
   *
   * @default {0.5}
   */
  pollInterval?: number;
}

/**
 * Options of {@linkcode BaseServer.serverClose}.
 *
 * @category Options
 */
export interface ServerCloseOptions {
  /**
   * Seconds to wait for the open requests before they are cut off; null is no limit.
   *
   * @default {null}
   */
  timeout?: number | null;
}

/**
 * Options of {@linkcode BaseServer.waitForConnections}.
 *
 * @category Options
 */
export interface WaitForConnectionsOptions extends AbortOptions {
  /**
   * Seconds after which the wait fails; null is no limit.
   *
   * @default {null}
   */
  timeout?: number | null;
}

/** The report of a close that waited for nothing. */
export const EMPTY_REPORT: Readonly<ServerCloseReport> = {
  idle: 0,
  finished: 0,
  forced: 0,
};

/**
 * The numbers of requests that were open when the server closed. Each request counts once; one that was still waiting for
 * its PROXY header, its handshake or its verdict is turned away, and counts in `status.rejected` only.
 *
 * @category Servers
 */
export interface ServerCloseReport {
  /** The number of requests whose handlers waited in `waitForRequest` for the next message, and ended at once. */
  idle: number;
  /** The number of other requests that ended by themselves. */
  finished: number;
  /** The number of requests that were cut off after the timeout. */
  forced: number;
}

/**
 * Options of the servers over sockets. Each replaces the static field of the same name.
 *
 * @category Options
 */
export interface ServerOptions extends BaseServerOptions {
  /**
   * Whether the constructor binds and activates.
   *
   * @default {true}
   */
  bindAndActivate?: boolean;
  /**
   * `AF_INET`, `AF_INET6` or `AF_UNIX`. `AF_UNIX` on the Unix servers.
   *
   * @default {AF_INET}
   */
  addressFamily?: number;
  /**
   * The number of connections that may wait in the system's backlog.
   *
   * @default {511}
   */
  requestQueueSize?: number;
  /**
   * Whether to set SO_REUSEADDR. Deno always sets it on TCP listeners.
   *
   * @default {false}
   */
  allowReuseAddress?: boolean;
  /**
   * Whether to set SO_REUSEPORT. Needs `--unstable-net`.
   *
   * @default {false}
   */
  allowReusePort?: boolean;
  /**
   * The permissions of a Unix server's path, such as `0o660`. Clients need the permission to write. Null leaves the
   * permissions to the umask. Any other value needs `--allow-sys`, with which Deno guards the umask.
   *
   * @default {null}
   */
  pathMode?: number | null;
  /**
   * Whether a Unix server replaces the path that a killed program has left. If the path belongs to an open socket, or
   * is not a socket, the constructor fails with EADDRINUSE.
   *
   * @default {false}
   */
  replaceStalePath?: boolean;
  /**
   * The most bytes of a datagram. The rest of a longer one is dropped, as by Python, and the request is handled. A Unix
   * datagram has 65,536 bytes at most.
   *
   * @default {8192}
   */
  maxPacketSize?: number;
  /**
   * The most connections per second that the server accepts, a positive number; `Infinity` for no limit. After a pause,
   * as many connections as one second allows may come at once. Beyond the rate the server stops accepting, so clients
   * queue in the backlog. For servers of streams.
   *
   * @default {Infinity}
   */
  maxAcceptRate?: number;
  /**
   * Seconds after which a connection is closed if no byte came or went meanwhile, also if its handler computes or waits
   * for something else; null is no limit. The handler's `signal` aborts with a `TimeoutError`, and calls on the
   * connection throw the same error. The server checks its connections eight times in this time, and at least every 5
   * seconds, so a connection may stay open that much longer. For servers of streams.
   *
   * @default {null}
   */
  idleTimeout?: number | null;
  /**
   * The settings of TLS. Each connection makes its handshake in a task of its own, within the context's
   * `handshakeTimeout`, and the handler gets an `SSLSocket`. For servers of streams.
   *
   * @default {null}
   */
  ssl?: SSLContext | null;
}

/**
 * Throws unless the options of a server are an object with no misspelt name.
 *
 * @param options The options.
 * @param Class The class of the server; its static fields are the names of the options.
 */
export function checkOptions(options: unknown, Class: object): void {
  if (typeof options === "object" && options !== null) {
    return checkSpelling(options, Class);
  }
  throw new TypeError(
    `Cannot make a server: the third argument must be an object of options, got ${
      inspect(options)
    }; Python's bind_and_activate is the option bindAndActivate`,
  );
}

/** Throws for an option that a program has misspelt. An option of its own is a static field of its class, or unlike ours. */
function checkSpelling(options: object, Class: object): void {
  const names = ["bindAndActivate"];
  for (let at = Class; at !== Function.prototype;) {
    names.push(...Object.keys(at));
    at = Object.getPrototypeOf(at);
  }
  for (const name of Object.keys(options)) {
    const right = typoOf(name, names);
    if (right === undefined) continue;
    throw new TypeError(
      `Cannot make a server: there is no option ${name}; write ${right}`,
    );
  }
}

/** Returns an option, or else the static field of the same name. */
export function setting<O extends object, K extends keyof O & string>(
  server: object,
  options: O,
  name: K,
): Exclude<O[K], undefined> {
  const own = options[name];
  if (own !== undefined) return own as Exclude<O[K], undefined>;
  return (server.constructor as unknown as Record<K, Exclude<O[K], undefined>>)[
    name
  ];
}

/** Returns all options of a server by name, except `shared`: those given, or else the static fields of the class. */
export function effectiveOptions(
  Class: object,
  options: object,
): Record<string, unknown> {
  const classes: object[] = [];
  for (
    let one = Class;
    typeof one === "function" && one !== Function.prototype;
    one = Object.getPrototypeOf(one)
  ) classes.unshift(one);
  const given = Object.entries(options).filter(([, value]) =>
    value !== undefined
  );
  const all = Object.assign({}, ...classes, Object.fromEntries(given));
  delete all.shared;
  return all;
}
