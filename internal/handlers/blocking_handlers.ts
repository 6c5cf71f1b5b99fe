/**
 * The handlers that block their worker.
 *
 * @module
 */

import { OSError } from "../base/errors.ts";
import type { BlockingSocket } from "../blocking/blocking_socket.ts";
import { blockingThread } from "../blocking/blocking_thread.ts";
import type {
  BlockingReader,
  BlockingWriter,
} from "../blocking/blocking_types.ts";
import type { Tied } from "../files/raw_streams.ts";
import { notConnected } from "../requests/wait_for_request.ts";
import {
  blockingHandlers,
  checkHandled,
  handlerKinds,
  ownHandlers,
} from "../server/handler_class.ts";
import type {
  AnyHandlerServer,
  HandlerServer,
} from "../stages/handler_types.ts";
import { Socket } from "../socket/socket_object.ts";
import { BaseRequestHandler } from "./base_handler.ts";
import { isSetUp, openFiles, setBySetup } from "./handler_setup.ts";

/**
 * Handles a request in a worker that the handler may block: `handle` needs no `await`, and the methods of `this.request`
 * return values. Needs a server with {@linkcode ThreadingMixIn}.
 *
 * @category Handlers
 * @typeParam R The type of a request: a {@linkcode BlockingSocket}, or for datagrams
 *   `[packet: Uint8Array, socket: BlockingSocket]`.
 * @typeParam S The server, if the handler reads `shared` or `options`, or serves a Unix socket.
 *
 * @example
 * ```ts
 * import { BlockingRequestHandler } from "@socketserver/socketserver";
 *
 * export class Echo extends BlockingRequestHandler {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override handle() {
 *     const data = this.request.recv(1024);
 *     this.request.sendall(data);
 *   }
 * }
 * ```
 */
export class BlockingRequestHandler<
  R = BlockingSocket,
  S extends AnyHandlerServer = HandlerServer,
> extends BaseRequestHandler<R, S> {
  /** Asks the server for a worker that the handler may block. */
  static readonly blocking: boolean = true;

  static {
    ownHandlers.add(this.prototype);
    blockingHandlers.add(this.prototype);
  }

  /**
   * Checks that the server can run the handler. May be extended; call super.
   *
   * @throws {TypeError} if the server does not run the handler in a worker.
   */
  override setup(): void {
    const request: unknown = this.request;
    if (!((Array.isArray(request) ? request[1] : request) instanceof Socket)) {
      return;
    }
    throw new TypeError(
      `Cannot run ${this.constructor.name}: a blocking handler needs a server with ThreadingMixIn`,
    );
  }

  /**
   * Waits for the first byte of the next message, as {@linkcode BaseRequestHandler.waitForRequest}, and blocks the worker
   * meanwhile.
   *
   * @returns Whether the next message begins. False at the end of the stream, at the server's `idleTimeout`, and if the
   *   server shuts down.
   * @throws {OSError} if the connection fails, or the wait takes longer than its timeout.
   * @throws {TypeError} if the request is not a connection.
   */
  override waitForRequest(): boolean {
    return waitInThread(this.server, this.request);
  }

  /**
   * Handles the request. Does nothing here. May be overridden.
   *
   * @throws {TypeError} if the class has methods, but none that the server calls.
   */
  override handle(): void {
    checkHandled(this);
  }

  /** Cleans up. The worker calls `finish` after `handle`. Does nothing here. May be extended; call super. */
  override finish(): void {}
}

/**
 * Handles a connection through two files in a worker that the handler may block: {@linkcode StreamRequestHandler}, but
 * the methods of `rfile` and `wfile` return values. Needs a server with {@linkcode ThreadingMixIn}.
 *
 * @category Handlers
 * @typeParam S The server, if the handler reads `shared` or `options`, or serves a Unix socket.
 *
 * @example
 * ```ts
 * import { BlockingStreamRequestHandler } from "@socketserver/socketserver";
 *
 * export class EchoLines extends BlockingStreamRequestHandler {
 *   static readonly moduleUrl = import.meta.url;
 *
 *   override handle() {
 *     for (const line of this.rfile) this.wfile.write(line);
 *   }
 * }
 * ```
 */
export class BlockingStreamRequestHandler<
  S extends AnyHandlerServer = HandlerServer,
> extends BlockingRequestHandler<BlockingSocket, S> {
  /**
   * The size of the read buffer in bytes: -1 is the default size, 0 no buffer.
   *
   * @default {-1}
   */
  rbufsize: number = -1;
  /**
   * The longest line that `rfile` reads, in bytes. A longer line throws a `LimitOverrunError`, and the server counts
   * the line in `status.limits`.
   *
   * @default {65536}
   */
  lineLimit = 65536;
  /**
   * The size of the write buffer in bytes: 0 writes at once, -1 is the default size. The buffer is sent when it is full,
   * when `rfile` has to wait, at `flush`, and at the end. Without a buffer no write is held, unlike in
   * {@linkcode StreamRequestHandler}: a thread that blocks could not send the held writes.
   *
   * @default {0}
   */
  wbufsize = 0;
  /**
   * The seconds that each read and write may take; null is no limit.
   *
   * @default {null}
   */
  timeout: number | null = null;
  /**
   * Whether to send small packets at once (TCP_NODELAY).
   *
   * @default {false}
   */
  disableNagleAlgorithm = false;

  static {
    ownHandlers.add(this.prototype);
    setBySetup(this.prototype, ["connection", "rfile", "wfile"]);
    handlerKinds.set(this.prototype, {
      name: "BlockingStreamRequestHandler",
      datagrams: false,
      instead: "BlockingRequestHandler",
    });
  }

  /** The connection: the request. */
  declare connection: BlockingSocket;

  /** Reads from the client. */
  declare rfile: BlockingReader;

  /** Writes to the client. */
  declare wfile: BlockingWriter;

  /** Sets the timeout and the options of the connection, and opens the files. May be extended; call super. */
  override setup(): void {
    super.setup();
    openFiles(this, "BlockingRequestHandler");
  }

  /**
   * Waits for the first byte of the next message, as {@linkcode StreamRequestHandler.waitForRequest}, and blocks the worker
   * meanwhile.
   *
   * @returns Whether the next message begins. False at the end of the stream, at the server's `idleTimeout`, and if the
   *   server shuts down.
   * @throws {OSError} if the connection fails, or the wait takes longer than `timeout`.
   */
  override waitForRequest(): boolean {
    return waitInThread(this.server, this.connection, this.wfile);
  }

  /** Flushes and closes the files. May be extended; call super. */
  override finish(): void {
    if (!isSetUp(this, "wfile") && this.failure !== undefined) return; // setup() was not called, and the error of handle() says so
    try {
      this.wfile.close();
    } catch (error) {
      if (!(error instanceof OSError)) throw error; // the client is gone
    } finally {
      if (isSetUp(this, "rfile")) this.rfile.close();
    }
  }
}

function waitInThread(server: object, request: unknown, tie?: Tied): boolean {
  const thread = blockingThread();
  if (thread !== undefined) return thread.waitForRequest(server, request, tie);
  throw notConnected(request); // only a thread that may block has blocking sockets
}
