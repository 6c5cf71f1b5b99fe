/**
 * The servers of Python's `socketserver`: {@linkcode TCPServer}, {@linkcode UDPServer}, {@linkcode UnixStreamServer} and
 * {@linkcode UnixDatagramServer}. They handle one request at a time; the mix-ins of `@socketserver/socketserver/mixins`
 * handle many. Each stage of a request is one method that you can override.
 *
 * @example A server of local clients only
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { BaseRequestHandler } from "@socketserver/socketserver/handlers";
 * import { TCPServer } from "@socketserver/socketserver/server";
 * import { createConnection, type Socket } from "@socketserver/socketserver/socket";
 *
 * class Hello extends BaseRequestHandler {
 *   override async handle() {
 *     await this.request.sendall(new TextEncoder().encode("hello"));
 *   }
 * }
 *
 * class LocalServer extends TCPServer {
 *   override verifyRequest(_request: Socket, [host]: [string, number]) {
 *     return host === "127.0.0.1";
 *   }
 * }
 *
 * await using server = new LocalServer(["127.0.0.1", 0], Hello);
 * server.serveForever();
 *
 * using client = await createConnection(server.serverAddress);
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "hello");
 * ```
 *
 * @module
 */

import "./internal/runtime/system/deno_version.ts"; // first, so that an older Deno meets nothing else

import { DatagramServer } from "./internal/server/datagram_server.ts";
import type { ServerOptions } from "./internal/stages/server_options.ts";
import { StreamServer } from "./internal/server/stream_server.ts";
import type { DatagramRequest } from "./internal/stages/stages.ts";
import type {
  AnyHandlerServer,
  FitsServer,
  OwnOptions,
  RequestHandlerConstructor,
} from "./internal/stages/handler_types.ts";
import { AF_UNIX, type InetAddress, type Socket } from "./socket.ts";

export { BaseServer } from "./internal/server/base_server.ts";
export { SocketServer } from "./internal/server/socket_server.ts";
export { StreamServer } from "./internal/server/stream_server.ts";
export { DatagramServer } from "./internal/server/datagram_server.ts";
export type {
  BaseServerOptions,
  ServeForeverOptions,
  ServerCloseOptions,
  ServerCloseReport,
  ServerOptions,
  WaitForConnectionsOptions,
} from "./internal/stages/server_options.ts";
export type {
  DatagramRequest,
  ServerAddress,
  ServerSocket,
  ServerStages,
} from "./internal/stages/stages.ts";
export type {
  AddressOf,
  AnyHandlerServer,
  FitsServer,
  HandlerServer,
  OwnOptions,
  RequestHandler,
  RequestHandlerConstructor,
} from "./internal/stages/handler_types.ts";
export type {
  LimitName,
  RejectReason,
  ServerState,
  ServerStatus,
} from "./internal/stages/server_status.ts";

/**
 * Serves TCP connections, one at a time: the next connection waits until the handler of this one has ended. For many at
 * a time use {@linkcode AsyncTCPServer}, or extend `AsyncMixIn(TCPServer)`.
 *
 * @category Servers
 * @typeParam S The server that the handlers need, from their class.
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
 * using client = await createConnection(server.serverAddress);
 * await client.sendall(new TextEncoder().encode("hello\n"));
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "HELLO\n");
 * ```
 */
// deno-lint-ignore no-explicit-any
export class TCPServer<S extends AnyHandlerServer = any>
  extends StreamServer<InetAddress> {
  /**
   * Creates a server, binds its socket and activates it, unless `bindAndActivate` is false. A failure closes the socket.
   *
   * @param serverAddress `[host, port]`, or a socket that is bound already, such as one of {@linkcode inheritedSocket}.
   *   With port 0 the system chooses a free port.
   * @param RequestHandlerClass The class that handles requests.
   * @param options Settings that replace the static fields of the same names, and the options of your own that the
   *   handler names.
   * @throws {OSError} if the address cannot be bound: EADDRINUSE, EADDRNOTAVAIL, EACCES and so on.
   * @throws {TypeError} if the handler class or an option has the wrong type, or the socket is of another kind.
   * @throws {RangeError} if an option is out of range.
   * @throws {SSLError} if `ssl` lacks a certificate, or authorities to verify clients with.
   */
  constructor(
    serverAddress: readonly [host: string, port: number] | Socket,
    RequestHandlerClass:
      // deno-lint-ignore no-explicit-any
      & RequestHandlerConstructor<Socket, any, S>
      & FitsServer<S, TCPServer>,
    options?: ServerOptions & OwnOptions<S>,
  ) {
    super(serverAddress, RequestHandlerClass, options);
  }
}

/**
 * Serves UDP datagrams, one at a time. A request is one datagram. For many at a time use {@linkcode AsyncUDPServer}, or
 * extend `AsyncMixIn(UDPServer)`.
 *
 * @category Servers
 * @typeParam S The server that the handlers need, from their class.
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
// deno-lint-ignore no-explicit-any
export class UDPServer<S extends AnyHandlerServer = any>
  extends DatagramServer<InetAddress> {
  /**
   * Creates a server, binds its socket and activates it, unless `bindAndActivate` is false. A failure closes the socket.
   *
   * @param serverAddress `[host, port]`, or a socket that is bound already, such as one of {@linkcode inheritedSocket}.
   *   With port 0 the system chooses a free port.
   * @param RequestHandlerClass The class that handles requests.
   * @param options Settings that replace the static fields of the same names, and the options of your own that the
   *   handler names.
   * @throws {OSError} if the address cannot be bound: EADDRINUSE, EADDRNOTAVAIL, EACCES and so on.
   * @throws {TypeError} if the handler class or an option has the wrong type, or the socket is of another kind.
   * @throws {RangeError} if an option is out of range.
   */
  constructor(
    serverAddress: readonly [host: string, port: number] | Socket,
    RequestHandlerClass:
      // deno-lint-ignore no-explicit-any
      & RequestHandlerConstructor<DatagramRequest, any, S>
      & FitsServer<S, UDPServer>,
    options?: ServerOptions & OwnOptions<S>,
  ) {
    super(serverAddress, RequestHandlerClass, options);
  }
}

/**
 * Serves connections to a Unix socket, one at a time. Closing the server removes the path.
 *
 * @category Servers
 * @typeParam S The server that the handlers need, from their class.
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
// deno-lint-ignore no-explicit-any
export class UnixStreamServer<S extends AnyHandlerServer = any>
  extends StreamServer<string> {
  /** `AF_UNIX`. */
  static override addressFamily: number = AF_UNIX;

  /**
   * Creates a server, binds its socket and activates it, unless `bindAndActivate` is false. A failure closes the socket.
   *
   * @param serverAddress A path, or a socket that is bound already, such as one of {@linkcode inheritedSocket}.
   * @param RequestHandlerClass The class that handles requests.
   * @param options Settings that replace the static fields of the same names, and the options of your own that the
   *   handler names.
   * @throws {OSError} if the path cannot be bound: EADDRINUSE, ENOENT, EACCES and so on.
   * @throws {TypeError} if the handler class or an option has the wrong type, or the socket is of another kind.
   * @throws {RangeError} if an option is out of range.
   * @throws {SSLError} if `ssl` lacks a certificate, or authorities to verify clients with.
   */
  constructor(
    serverAddress: string | Socket,
    RequestHandlerClass:
      // deno-lint-ignore no-explicit-any
      & RequestHandlerConstructor<Socket, any, S>
      & FitsServer<S, UnixStreamServer>,
    options?: ServerOptions & OwnOptions<S>,
  ) {
    super(serverAddress, RequestHandlerClass, options);
  }
}

/**
 * Serves datagrams to a Unix socket, one at a time. Needs `--unstable-net`. Closing the server leaves the path.
 *
 * @category Servers
 * @typeParam S The server that the handlers need, from their class.
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { AF_UNIX, DatagramRequestHandler, SOCK_DGRAM, Socket, UnixDatagramServer } from "@socketserver/socketserver";
 *
 * class Upper extends DatagramRequestHandler {
 *   override async handle() {
 *     const text = new TextDecoder().decode(this.packet);
 *     await this.wfile.write(text.toUpperCase());
 *   }
 * }
 *
 * const path = `${Deno.makeTempDirSync()}/socket`;
 * await using server = new UnixDatagramServer(path, Upper);
 * server.serveForever();
 *
 * using client = new Socket(AF_UNIX, SOCK_DGRAM);
 * client.bind(`${path}-client`); // an answer needs an address
 * await client.sendto(new TextEncoder().encode("hello"), server.serverAddress);
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "HELLO");
 * ```
 */
// deno-lint-ignore no-explicit-any
export class UnixDatagramServer<S extends AnyHandlerServer = any>
  extends DatagramServer<string> {
  /** `AF_UNIX`. */
  static override addressFamily: number = AF_UNIX;

  /**
   * Creates a server, binds its socket and activates it, unless `bindAndActivate` is false. A failure closes the socket.
   *
   * @param serverAddress A path, or a socket that is bound already, such as one of {@linkcode inheritedSocket}.
   * @param RequestHandlerClass The class that handles requests.
   * @param options Settings that replace the static fields of the same names, and the options of your own that the
   *   handler names.
   * @throws {OSError} if the path cannot be bound: EADDRINUSE, ENOENT, EACCES and so on.
   * @throws {TypeError} if the handler class or an option has the wrong type, or the socket is of another kind.
   * @throws {RangeError} if an option is out of range.
   */
  constructor(
    serverAddress: string | Socket,
    RequestHandlerClass:
      // deno-lint-ignore no-explicit-any
      & RequestHandlerConstructor<DatagramRequest, any, S>
      & FitsServer<S, UnixDatagramServer>,
    options?: ServerOptions & OwnOptions<S>,
  ) {
    super(serverAddress, RequestHandlerClass, options);
  }
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
  FromFdOptions,
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
export type {
  CertificateName,
  PeerCertificate,
} from "./internal/runtime/tls/session_facts.ts";
export type {
  SniCallback,
  SSLContext,
  SSLSocket,
} from "./internal/ssl/ssl_context.ts";
export type { PlaintextPolicy } from "./internal/ssl/take_over.ts";
export type { WrapSocketOptions } from "./internal/ssl/wrap_socket.ts";
export type { TLSVersion } from "./internal/base/ssl_constants.ts";
