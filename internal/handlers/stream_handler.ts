/**
 * The handler of connections.
 *
 * @module
 */

import { OSError } from "../base/errors.ts";
import type { BufferedReader } from "../files/buffered_reader.ts";
import type { Writer } from "../files/file_writer.ts";
import { handlerKinds, ownHandlers } from "../server/handler_class.ts";
import type {
  AnyHandlerServer,
  HandlerServer,
} from "../stages/handler_types.ts";
import { waitForRequest } from "../requests/wait_for_request.ts";
import type { Socket } from "../socket/socket_object.ts";
import { BaseRequestHandler } from "./base_handler.ts";
import { isSetUp, openFiles, setBySetup } from "./handler_setup.ts";

/** The classes for datagrams. */
const INSTEAD = "DatagramRequestHandler, or DualRequestHandler for both";

/**
 * Handles a connection through two files: `rfile` reads from the client, `wfile` writes to the client.
 *
 * @category Handlers
 * @typeParam S The server, if the handler needs more of the server than {@linkcode HandlerServer} has.
 *
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { AsyncTCPServer, createConnection, StreamRequestHandler } from "@socketserver/socketserver";
 *
 * class EchoLines extends StreamRequestHandler {
 *   override timeout = 30; // seconds for each read and write
 *
 *   override async handle() {
 *     for await (const line of this.rfile) await this.wfile.write(line);
 *   }
 * }
 *
 * await using server = new AsyncTCPServer(["127.0.0.1", 0], EchoLines);
 * server.serveForever();
 *
 * using client = await createConnection(server.serverAddress);
 * await client.sendall(new TextEncoder().encode("hello\n"));
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "hello\n");
 * ```
 */
export class StreamRequestHandler<
  S extends AnyHandlerServer = HandlerServer,
> extends BaseRequestHandler<Socket, S> {
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
   * The size of the write buffer in bytes: -1 is the default size, 0 no buffer. The buffer is sent when it is full, when
   * `rfile` has to wait, at `flush`, and at the end.
   *
   * Without a buffer, a write is sent at once, unless `rfile` has more data already. Then small writes, up to 8 KiB, are
   * held until `rfile` has no more data, or the handler waits for anything else, or for 5 ms, so that the answers to
   * requests that came together leave together. Other data sent on `connection` follows them. If a held write fails, the
   * next write, or `flush`, throws the error.
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
      name: "StreamRequestHandler",
      datagrams: false,
      instead: INSTEAD,
    });
  }

  /** The connection: the request. */
  declare connection: Socket;

  /** Reads from the client. */
  declare rfile: BufferedReader;

  /** Writes to the client, buffered as `wbufsize` says. A write that is not awaited still arrives, in order. */
  declare wfile: Writer;

  /** Sets the timeout and the options of the connection, and opens the files. May be extended; call super. */
  override setup(): void | Promise<void> {
    openFiles(this, INSTEAD);
  }

  /**
   * Waits for the first byte of the next message, in `rfile` or on the connection: call this method between two
   * messages, before the read of a line or a frame. When the server shuts down, such a wait ends at once, so that a
   * client that is silent does not delay the end. A message whose first byte has arrived is still handled. No byte is
   * read; `wfile` is sent before the wait.
   *
   * @returns Whether the next message begins. False at the end of the stream, at the server's `idleTimeout`, and if the
   *   server shuts down: return from `handle` then.
   * @throws {OSError} if the connection fails, or the wait takes longer than `timeout`.
   * @example
   * ```ts
   * import { StreamRequestHandler } from "@socketserver/socketserver";
   *
   * class EchoLines extends StreamRequestHandler {
   *   override async handle() {
   *     while (await this.waitForRequest()) {
   *       await this.wfile.write(await this.rfile.readline());
   *     }
   *   }
   * }
   * ```
   */
  override waitForRequest(): Promise<boolean> {
    return waitForRequest(this.server, this.connection, this.wfile);
  }

  /** Flushes and closes the files. May be extended; call super. */
  override async finish(): Promise<void> {
    if (!isSetUp(this, "wfile") && this.failure !== undefined) return; // setup() was not called, and the error of handle() says so
    try {
      await this.wfile.close();
    } catch (error) {
      if (!(error instanceof OSError)) throw error; // the client is gone; the caller that awaited the write got the error
    } finally {
      if (isSetUp(this, "rfile")) this.rfile.close();
    }
  }
}
