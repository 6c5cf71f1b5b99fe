/**
 * The handler of connections and datagrams.
 *
 * @module
 */

import type { BufferedReader } from "../files/buffered_reader.ts";
import type { Writer } from "../files/file_writer.ts";
import { ownHandlers } from "../server/handler_class.ts";
import type { DatagramRequest } from "../stages/stages.ts";
import type {
  AnyHandlerServer,
  HandlerServer,
} from "../stages/handler_types.ts";
import { waitForRequest } from "../requests/wait_for_request.ts";
import type { Socket } from "../socket/socket_object.ts";
import { BaseRequestHandler } from "./base_handler.ts";
import { DatagramRequestHandler } from "./datagram_handler.ts";
import { checkSettings, notSetUp, setBySetup } from "./handler_setup.ts";
import { StreamRequestHandler } from "./stream_handler.ts";

/**
 * Handles a connection or a datagram, whichever its server has: for protocols over both. Works like
 * {@linkcode StreamRequestHandler} on a connection and like {@linkcode DatagramRequestHandler} on a datagram. `packet` is
 * undefined on a connection.
 *
 * @category Handlers
 * @typeParam S The server, if the handler needs more of the server than {@linkcode HandlerServer} has.
 *
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import {
 *   AF_INET,
 *   AsyncTCPServer,
 *   AsyncUDPServer,
 *   createConnection,
 *   DualRequestHandler,
 *   SOCK_DGRAM,
 *   Socket,
 * } from "@socketserver/socketserver";
 *
 * class Echo extends DualRequestHandler {
 *   override async handle() {
 *     for await (const line of this.rfile) await this.wfile.write(line);
 *   }
 * }
 *
 * await using tcp = new AsyncTCPServer(["127.0.0.1", 0], Echo);
 * await using udp = new AsyncUDPServer(tcp.serverAddress, Echo);
 * for (const server of [tcp, udp]) server.serveForever();
 *
 * using stream = await createConnection(tcp.serverAddress);
 * using datagrams = new Socket(AF_INET, SOCK_DGRAM);
 * await datagrams.connect(udp.serverAddress);
 * for (const client of [stream, datagrams]) {
 *   await client.sendall(new TextEncoder().encode("hello\n"));
 *   strictEqual(new TextDecoder().decode(await client.recv(1024)), "hello\n");
 * }
 * ```
 */
export class DualRequestHandler<
  S extends AnyHandlerServer = HandlerServer,
> extends BaseRequestHandler<Socket | DatagramRequest, S> {
  /**
   * The size of the read buffer of a connection in bytes: -1 is the default size, 0 no buffer.
   *
   * @default {-1}
   */
  rbufsize: number = -1;
  /**
   * The longest line that `rfile` reads from a connection, in bytes. A longer line throws a `LimitOverrunError`, and
   * the server counts the line in `status.limits`.
   *
   * @default {65536}
   */
  lineLimit = 65536;
  /**
   * The size of the write buffer of a connection in bytes, as {@linkcode StreamRequestHandler.wbufsize}.
   *
   * @default {0}
   */
  wbufsize = 0;
  /**
   * The seconds that each read and write of a connection may take; null is no limit.
   *
   * @default {null}
   */
  timeout: number | null = null;
  /**
   * Whether a connection sends small packets at once (TCP_NODELAY).
   *
   * @default {false}
   */
  disableNagleAlgorithm = false;

  static {
    ownHandlers.add(this.prototype);
    setBySetup(this.prototype, ["socket", "rfile", "wfile"]);
  }

  /** The datagram; undefined on a connection. */
  packet: Uint8Array<ArrayBuffer> | undefined;
  #files: StreamRequestHandler<S> | DatagramRequestHandler<S> | undefined;

  /** The connection, or the server's socket. */
  declare socket: Socket;

  /** Reads from the client: the stream of a connection, or the datagram. */
  declare rfile: BufferedReader;

  /** Writes to the client; collects the answer to a datagram. */
  declare wfile: Writer;

  /** Opens the files. May be extended; call super. */
  override async setup(): Promise<void> {
    checkSettings(this);
    const files = this.#files = this.#open();
    await files.setup();
    if (files instanceof DatagramRequestHandler) {
      this.packet = files.packet;
      this.socket = files.socket;
    } else this.socket = files.connection;
    this.rfile = files.rfile;
    this.wfile = files.wfile;
  }

  #open(): StreamRequestHandler<S> | DatagramRequestHandler<S> {
    const { request, clientAddress, server } = this;
    if (Array.isArray(request)) {
      return new DatagramRequestHandler(request, clientAddress, server);
    }
    const { rbufsize, lineLimit, wbufsize } = this;
    const { timeout, disableNagleAlgorithm } = this;
    return Object.assign(
      new StreamRequestHandler(request, clientAddress, server),
      { rbufsize, lineLimit, wbufsize, timeout, disableNagleAlgorithm },
    );
  }

  /**
   * Waits for the first byte of the next message of a connection, as {@linkcode StreamRequestHandler.waitForRequest}.
   *
   * @returns Whether the next message begins. False at the end of the stream, at the server's `idleTimeout`, and if the
   *   server shuts down.
   * @throws {OSError} if the connection fails, or the wait takes longer than `timeout`.
   * @throws {TypeError} for a datagram, which is the whole request.
   */
  override waitForRequest(): Promise<boolean> {
    return waitForRequest(this.server, this.request, this.wfile);
  }

  /** Flushes and closes the files of a connection, or sends the answer to a datagram. May be extended; call super. */
  override async finish(): Promise<void> {
    if (this.#files === undefined && this.failure !== undefined) return; // setup() was not called, and the error of handle() says so
    const files = this.#files;
    if (files === undefined) throw notSetUp(this, "the files");
    files.failure = this.failure;
    await files.finish();
  }
}
