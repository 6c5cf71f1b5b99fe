/**
 * The socket of a blocking handler, as its public page shows it.
 *
 * @module
 */

import type { MakefileOptions } from "../files/makefile.ts";
import type { Socket } from "../socket/socket_object.ts";
import type { AbortOptions } from "../waiting/abort.ts";
import type { BlockingFileLike } from "./blocking_sendfile.ts";
import type { Blocking, BlockingFileForMode } from "./blocking_types.ts";

/**
 * The socket of a blocking handler, a class with `static readonly blocking = true`. The server creates it and closes it.
 *
 * It has the methods of {@linkcode Socket}, with the same parameters, results and errors, but the methods block the
 * worker and return the values that those of `Socket` resolve to:
 *
 * | to | methods |
 * | -- | ------- |
 * | receive | `recv`, `recvfrom`, `recvInto`, `recvfromInto` |
 * | send | `send`, `sendall`, `sendto`, `sendmsg`, `sendfile` |
 * | open a file | `makefile` |
 * | limit the time | `settimeout`, `gettimeout`, `setblocking`, `getblocking`, `setdeadline` |
 * | set options | `setsockopt`, `getsockopt` |
 * | describe the socket | `getsockname`, `getpeername`, `family`, `type`, `proto` |
 * | end | `shutdown`, `close`, `lingeringClose`, `abort` |
 *
 * These points differ:
 *
 * - It has no methods that bind, listen, accept, connect or wait for the close: the server does this. It has no
 *   `fileno`, `detach` and streams.
 * - Each datagram is a request of its own, so `recv` fails with EOPNOTSUPP on a datagram socket.
 * - A `signal` ends a call that blocks only if the main thread aborts it, as it does `this.signal` of the handler. A
 *   blocked worker runs no timers and no code, so `AbortSignal.timeout()` and controllers of the worker abort only
 *   between the calls: use `settimeout` and `setdeadline`.
 * - The files of `makefile` block too, and an open file for `sendfile` needs the methods `readSync` and `seekSync`.
 *
 * @category Sockets
 * @example Send back each message
 * ```ts
 * import {
 *   BlockingRequestHandler,
 *   type BlockingSocket,
 * } from "@socketserver/socketserver";
 *
 * export class Echo extends BlockingRequestHandler<BlockingSocket> {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override handle() {
 *     this.request.settimeout(60);
 *     for (;;) {
 *       const data = this.request.recv(1024);
 *       if (data.length === 0) return;
 *       this.request.sendall(data);
 *     }
 *   }
 * }
 * ```
 */
export interface BlockingSocket extends
  Blocking<
    Omit<
      Socket,
      | "accept"
      | "bind"
      | "connect"
      | "connectEx"
      | "detach"
      | "fileno"
      | "listen"
      | "makefile"
      | "readable"
      | "sendfile"
      | "waitClosed"
      | "writable"
    >
  > {
  /**
   * Sends a part of a file, chunk by chunk. The timeout limits each chunk, not the whole call.
   *
   * @param file The path of the file, or an open file. An open file is left behind the last byte sent.
   * @param offset The position of the first byte to send.
   * @param count The count of bytes; without it, to the end of the file.
   * @param options A signal that ends the call between two chunks.
   * @returns The count of bytes sent.
   */
  sendfile(
    file: BlockingFileLike,
    offset?: number,
    count?: number,
    options?: AbortOptions,
  ): number;
  /**
   * Returns a file over the socket, whose methods block too. The socket stays open until the file is closed.
   *
   * @typeParam M The mode.
   * @param mode `"r"` and `"w"` in any combination, and `"b"` for bytes.
   * @param options Buffering, encoding and line ends.
   * @returns The file.
   */
  makefile<M extends string = "r">(
    mode?: M,
    options?: MakefileOptions,
  ): BlockingFileForMode<M>;
}
