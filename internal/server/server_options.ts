/**
 * The options of servers.
 *
 * @module
 */

/**
 * Options of every server. Each wins over the class's static field of the same name.
 *
 * @category Options
 */
export interface BaseServerOptions {
  /** Seconds that `handleRequest` waits before it calls `handleTimeout`; null is no limit. @default {null} */
  timeout?: number | null;
  /**
   * Whether `handleError` prints errors of lost clients too: a connection that is reset, broken, aborted, or ends
   * in the middle of a `readexactly`, and a read or write that timed out. Python does; a server on the
   * open net has many. @default {true}
   */
  reportLostClients?: boolean;
  /**
   * Seconds that `await using` and `serve` wait for the requests under way before they cut them off; null is no limit.
   * A client that is idle would else keep the program for as long as it likes. @default {10}
   */
  closeTimeout?: number | null;
}

/**
 * Options of {@linkcode BaseServer.serveForever}.
 *
 * @category Options
 */
export interface ServeForeverOptions {
  /** Ends the loop, as {@linkcode BaseServer.shutdown} does. */
  signal?: AbortSignal;
  /** Seconds between calls of `serviceActions` while no request comes. @default {0.5} */
  pollInterval?: number;
}

/**
 * Options of {@linkcode BaseServer.serverClose}.
 *
 * @category Options
 */
export interface ServerCloseOptions {
  /** Seconds to wait for the requests under way; then they are cut off. Without it, or null, there is no limit. */
  timeout?: number | null;
}

/**
 * How the requests ended that were under way when the server closed.
 *
 * @category Servers
 */
export interface ServerCloseReport {
  /** How many ended by themselves. */
  finished: number;
  /** How many were cut off after the timeout. */
  forced: number;
}

/**
 * Options of the servers over sockets. Each wins over the class's static field of the same name.
 *
 * @category Options
 */
export interface ServerOptions extends BaseServerOptions {
  /** Whether the constructor binds and activates. @default {true} */
  bindAndActivate?: boolean;
  /** `AF_INET`, `AF_INET6` or `AF_UNIX`. */
  addressFamily?: number;
  /** How many connections may wait to be accepted. @default {511} */
  requestQueueSize?: number;
  /** SO_REUSEADDR. Deno sets it on every TCP listener. @default {false} */
  allowReuseAddress?: boolean;
  /** SO_REUSEPORT: needs `--unstable-net`. @default {false} */
  allowReusePort?: boolean;
  /**
   * The permissions of a Unix server's path, such as `0o660`: connecting needs the permission to write. Null leaves
   * them to the umask. @default {null}
   */
  pathMode?: number | null;
  /**
   * Whether a Unix server replaces the path of a socket that is closed, as a program leaves it that was killed. The
   * path of an open socket, and what is no socket, stay, and the server is refused with EADDRINUSE. @default {false}
   */
  replaceStalePath?: boolean;
  /** The most bytes of a datagram; the rest of a longer one is dropped. @default {8192} */
  maxPacketSize?: number;
}

/** Throws unless the options of a server are an object. */
export function checkOptions(options: unknown): void {
  if (typeof options === "object" && options !== null) return;
  throw new TypeError(
    `Cannot make a server: the third argument must be an object of options, got ${
      Deno.inspect(options)
    }; Python's bind_and_activate is the option bindAndActivate`,
  );
}

/** An option, or else the class's static field of that name. */
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
