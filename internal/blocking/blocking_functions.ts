/**
 * The functions of sockets for blocking handlers.
 *
 * @module
 */

import { checkTimeout } from "../base/arguments.ts";
import {
  checkConnectOptions,
  checkDelay,
  type CreateConnectionOptions,
} from "../socket/create_connection.ts";
import { checkSelect } from "../socket/select.ts";
import { getdefaulttimeout } from "../socket/settings.ts";
import { type AbortOptions, checkSignal } from "../waiting/abort.ts";
import type { BlockingSocket } from "./blocking_socket.ts";
import { type BlockingThread, blockingThread } from "./blocking_thread.ts";

/**
 * Opens a connection from a blocking handler, and blocks until it is open: Python's `socket.create_connection`. The
 * options and the errors are those of {@linkcode createConnection}.
 *
 * The main thread opens the connection, with its permissions, and moves the bytes. The connection is closed with the
 * request of the handler, if the handler has not closed it before; a connection that the module opens while it is
 * loaded is closed with the worker. A worker may have 1024 open connections.
 *
 * @param address `[host, port]`, or the path of a Unix socket.
 * @param options Timeout, local address, signal, and the delay between two attempts. Only the abort of a signal that the
 *   main thread aborts, such as `this.signal` of a handler, ends the call while it blocks.
 * @returns The connected socket.
 * @throws {OSError} ECONNREFUSED, ETIMEDOUT and so on; EMFILE if the worker has too many connections.
 * @throws {GaiError} if the host or the service is not known.
 * @throws {TypeError} if the thread does not run blocking handlers.
 * @category Sockets
 * @example
 * ```ts
 * import {
 *   BlockingRequestHandler,
 *   createConnectionSync,
 * } from "@socketserver/socketserver";
 *
 * export class Forward extends BlockingRequestHandler {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override handle() {
 *     using remote = createConnectionSync(["localhost", 9999], { timeout: 5 });
 *     remote.sendall(this.request.recv(1024));
 *     this.request.sendall(remote.recv(1024));
 *   }
 * }
 * ```
 */
export function createConnectionSync(
  address: readonly [host: string, port: number | string] | string,
  options: CreateConnectionOptions = {},
): BlockingSocket {
  const thread = threadThatMayBlock("createConnectionSync", "createConnection");
  checkConnectOptions(address, options);
  const { timeout = getdefaulttimeout(), signal, ...rest } = options;
  checkTimeout(timeout);
  checkSignal(signal, "connect");
  if (rest.happyEyeballsDelay !== undefined) {
    checkDelay(rest.happyEyeballsDelay);
  }
  return thread.connect({ ...rest, address, timeout }, signal);
}

/**
 * Blocks until sockets of a blocking handler are ready: Python's `select.select`.
 *
 * @typeParam R The type of the sockets to read.
 * @typeParam W The type of the sockets to write.
 * @typeParam X The type of the sockets of the third list.
 * @param rlist Ready when `recv` would not block.
 * @param wlist Ready when `send` would not block.
 * @param xlist Never ready: Deno has no out-of-band data.
 * @param timeout Seconds; null blocks without limit, 0 only polls.
 * @param options A signal that ends the wait; as for {@linkcode createConnectionSync}.
 * @returns The ready sockets of each list, in its order; all empty after the timeout.
 * @throws {OSError} EBADF for a closed socket.
 * @throws {TypeError} if the thread does not run blocking handlers, or an item is not a `BlockingSocket`.
 * @category Sockets
 * @example
 * ```ts
 * import {
 *   BlockingRequestHandler,
 *   createConnectionSync,
 *   selectSync,
 * } from "@socketserver/socketserver";
 *
 * export class Proxy extends BlockingRequestHandler {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override handle() {
 *     const client = this.request;
 *     using remote = createConnectionSync(["localhost", 9999]);
 *     for (;;) {
 *       const [readable] = selectSync([client, remote], [], []);
 *       for (const source of readable) {
 *         const data = source.recv(65536);
 *         if (data.length === 0) return;
 *         (source === client ? remote : client).sendall(data);
 *       }
 *     }
 *   }
 * }
 * ```
 */
export function selectSync<
  R extends BlockingSocket,
  W extends BlockingSocket,
  X extends BlockingSocket,
>(
  rlist: Iterable<R>,
  wlist: Iterable<W>,
  xlist: Iterable<X>,
  timeout: number | null = null,
  options: AbortOptions = {},
): [R[], W[], X[]] {
  const thread = threadThatMayBlock("selectSync", "select");
  checkSelect(rlist, wlist, xlist, timeout, options.signal);
  return thread.select(
    [[...rlist], [...wlist], [...xlist]],
    timeout,
    options.signal,
  );
}

/** Returns the calls of this thread. Throws if its code must not block. */
function threadThatMayBlock(name: string, instead: string): BlockingThread {
  const thread = blockingThread();
  if (thread !== undefined) return thread;
  throw new TypeError(
    `Cannot call ${name}() here: it blocks, which only a blocking handler of a server with ThreadingMixIn may do; await ${instead}() instead`,
  );
}
