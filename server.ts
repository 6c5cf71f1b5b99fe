/**
 * The servers of Python's `socketserver`: {@linkcode TCPServer}, {@linkcode UDPServer}, {@linkcode UnixStreamServer} and
 * {@linkcode UnixDatagramServer}. Each stage of a request is one method that you can override.
 *
 * @module
 */

import "./internal/runtime/deno_version.ts"; // first, so that an older Deno meets nothing else

import { checkSize } from "./internal/base/arguments.ts";
import { acceptNow, endRequest } from "./internal/socket/server_calls.ts";
import { stateOf } from "./internal/socket/socket_object.ts";
import { getsUsualRequests } from "./internal/server/handler_kinds.ts";
import { readyWithin } from "./internal/server/loop_waiter.ts";
import { afterDrain, requestsOf } from "./internal/server/request_registry.ts";
import type {
  ServerCloseOptions,
  ServerCloseReport,
} from "./internal/server/server_options.ts";
import { SocketServer } from "./internal/server/socket_server.ts";
import type { DatagramRequest } from "./internal/server/stages.ts";
import {
  type Address,
  AF_UNIX,
  OSError,
  SOCK_DGRAM,
  Socket,
} from "./socket.ts";

export { BaseServer } from "./internal/server/base_server.ts";
export { SocketServer } from "./internal/server/socket_server.ts";
export type {
  BaseServerOptions,
  ServeForeverOptions,
  ServerCloseOptions,
  ServerCloseReport,
  ServerOptions,
} from "./internal/server/server_options.ts";
export type {
  DatagramRequest,
  HandlerServer,
  RequestHandler,
  RequestHandlerConstructor,
  ServerStages,
  ServerStatus,
} from "./internal/server/stages.ts";

/**
 * Serves TCP connections, one at a time: the next connection waits until the handler of this one has ended. For many at
 * a time use {@linkcode AsyncTCPServer}, or extend `AsyncMixIn(TCPServer)`.
 *
 * @category Servers
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { createConnection, StreamRequestHandler, TCPServer } from "@socketserver/socketserver";
 *
 * class Upper extends StreamRequestHandler {
 *   override async handle() {
 *     const line = new TextDecoder().decode(await this.rfile.readline());
 *     await this.wfile.write(line.toUpperCase());
 *   }
 * }
 *
 * await using server = new TCPServer(["127.0.0.1", 0], Upper);
 * server.serveForever();
 *
 * using client = await createConnection(server.serverAddress as [string, number]);
 * await client.sendall(new TextEncoder().encode("hello\n"));
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "HELLO\n");
 * ```
 */
export class TCPServer extends SocketServer<Socket> {
  static {
    getsUsualRequests.add(this.prototype.getRequest);
  }

  /** Listens. May be overridden. */
  override serverActivate(): void {
    this.socket.listen(this.requestQueueSize);
  }

  /** Closes the listening socket, and then does as {@linkcode BaseServer.serverClose}. */
  override async serverClose(
    options: ServerCloseOptions = {},
  ): Promise<ServerCloseReport> {
    const closed = super.serverClose(options);
    this.socket.close();
    const released = stateOf(this.socket).released;
    const [report] = await Promise.all([closed, released]);
    return report;
  }

  /** Accepts a connection. Returns a promise only if no connection waits. May be overridden. */
  override getRequest(): [Socket, Address] | Promise<[Socket, Address]> {
    const { socket } = this;
    return socket.accept === Socket.prototype.accept
      ? acceptNow(socket) ?? socket.accept()
      : socket.accept();
  }

  /**
   * Ends the stream for the client, and then closes the connection. If the client puts off the end, as with a TLS
   * handshake that stalls, this method waits for the timeout of the socket, or 2 seconds. May be overridden.
   */
  override async shutdownRequest(request: Socket): Promise<void> {
    try {
      await endRequest(request);
    } catch (error) {
      if (!(error instanceof OSError)) throw error; // the client is gone, or the handler closed it
    }
    await this.closeRequest(request);
  }

  /** Closes the connection and its files. May be overridden. */
  override closeRequest(request: Socket): void {
    stateOf(request).close(false);
  }
}

/** The seconds that a closing server waits for a client to read its answers. Arbitrary. */
const FLUSH_SECONDS = 1;

/**
 * Serves UDP datagrams, one at a time. A request is one datagram. For many at a time use {@linkcode AsyncUDPServer}, or
 * extend `AsyncMixIn(UDPServer)`.
 *
 * @category Servers
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { AF_INET, DatagramRequestHandler, SOCK_DGRAM, Socket, UDPServer } from "@socketserver/socketserver";
 *
 * class Upper extends DatagramRequestHandler {
 *   override async handle() {
 *     const text = new TextDecoder().decode(this.packet);
 *     await this.wfile.write(text.toUpperCase());
 *   }
 * }
 *
 * await using server = new UDPServer(["127.0.0.1", 0], Upper);
 * server.serveForever();
 *
 * using client = new Socket(AF_INET, SOCK_DGRAM);
 * await client.sendto(new TextEncoder().encode("hello"), server.serverAddress);
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "HELLO");
 * ```
 */
export class UDPServer extends SocketServer<DatagramRequest> {
  /** `SOCK_DGRAM`. */
  static override socketType: number = SOCK_DGRAM;
  static {
    getsUsualRequests.add(this.prototype.getRequest);
  }

  /**
   * Waits for the requests under way, which answer on the server's socket, and then closes that socket. Also waits, a
   * second at most, for the clients to read their answers.
   */
  override async serverClose(
    options: ServerCloseOptions = {},
  ): Promise<ServerCloseReport> {
    try {
      return await super.serverClose(options);
    } finally {
      await afterDrain(this, async () => {
        if (requestsOf(this).blockOnClose) await this.#flush(options.timeout);
        this.socket.close();
        await stateOf(this.socket).released;
      });
    }
  }

  async #flush(timeout: number | null = null): Promise<void> {
    const flushed = stateOf(this.socket).datagram?.flushed;
    const seconds = Math.min(FLUSH_SECONDS, timeout ?? Infinity);
    if (flushed !== undefined) await readyWithin(flushed, seconds);
  }

  /** Receives a datagram. Returns a promise only if no datagram waits. May be overridden. */
  override getRequest():
    | [DatagramRequest, Address]
    | Promise<[DatagramRequest, Address]> {
    const { socket, maxPacketSize } = this;
    checkSize(maxPacketSize, "recv", "maxPacketSize");
    const datagram = stateOf(socket).datagram;
    if (datagram !== undefined) datagram.answering = true;
    if (
      !datagram?.pending.ready ||
      socket.recvfrom !== Socket.prototype.recvfrom
    ) return this.#receive();
    const [packet, sender] = datagram.take(maxPacketSize);
    return [[packet, socket], sender ?? ""];
  }

  async #receive(): Promise<[DatagramRequest, Address]> {
    const [packet, sender] = await this.socket.recvfrom(this.maxPacketSize);
    return [[packet, this.socket], sender ?? ""];
  }
}

/**
 * Serves connections to a Unix socket, one at a time. Closing the server removes the path.
 *
 * @category Servers
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { createConnection, StreamRequestHandler, UnixStreamServer } from "@socketserver/socketserver";
 *
 * class Upper extends StreamRequestHandler {
 *   override async handle() {
 *     const line = new TextDecoder().decode(await this.rfile.readline());
 *     await this.wfile.write(line.toUpperCase());
 *   }
 * }
 *
 * await using server = new UnixStreamServer(`${Deno.makeTempDirSync()}/socket`, Upper);
 * server.serveForever();
 *
 * using client = await createConnection(server.serverAddress);
 * await client.sendall(new TextEncoder().encode("hello\n"));
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "HELLO\n");
 * ```
 */
export class UnixStreamServer extends TCPServer {
  /** `AF_UNIX`. */
  static override addressFamily: number = AF_UNIX;
}

/**
 * Serves datagrams to a Unix socket, one at a time. Needs `--unstable-net`. Closing the server leaves the path.
 *
 * @category Servers
 */
export class UnixDatagramServer extends UDPServer {
  /** `AF_UNIX`. */
  static override addressFamily: number = AF_UNIX;
}

// The types that the signatures here name, so that this module can be used by itself.
export type {
  AbortOptions,
  Address,
  AddressLike,
  BufferedReader,
  BufferedRWPair,
  Bytes,
  BytesLike,
  DatagramOption,
  DatagramTransport,
  FileForMode,
  FileLike,
  InetAddress,
  ListenerTransport,
  MakefileModes,
  MakefileOptions,
  MessageOptions,
  Newline,
  OpenFile,
  OptionValue,
  OSError,
  PathOptions,
  ReadUntilOptions,
  Socket,
  SocketFile,
  StreamTransport,
  TextErrors,
  TextReader,
  TextRWPair,
  TextWriter,
  Tied,
  Transport,
  TransportAddr,
  WriteData,
  Writer,
} from "./socket.ts";
