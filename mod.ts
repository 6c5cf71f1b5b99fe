/**
 * Python's `socket` and `socketserver` for Deno: TCP, UDP and Unix sockets in TypeScript, without dependencies. You write
 * a handler class. The server accepts the clients, limits their number and their time, reports errors, and lets the
 * open requests finish when the program stops. The same handler runs in four ways: one client at a time, as tasks on the
 * event loop, in Web Workers, or in child processes.
 *
 * ```sh
 * deno add jsr:@socketserver/socketserver
 * ```
 *
 * A first server, which answers in capitals until Ctrl-C or SIGTERM:
 *
 * ```ts ignore
 * import {
 *   AsyncTCPServer,
 *   serve,
 *   StreamRequestHandler,
 * } from "@socketserver/socketserver";
 *
 * class Upper extends StreamRequestHandler {
 *   override timeout = 30; // seconds for each read and write
 *
 *   override async handle() {
 *     for await (const line of this.rfile) {
 *       await this.wfile.write(new TextDecoder().decode(line).toUpperCase());
 *     }
 *   }
 * }
 *
 * const server = new AsyncTCPServer(["localhost", 9999], Upper);
 * await serve(server); // until Ctrl-C or SIGTERM
 * ```
 *
 * Start it with `deno run --allow-net main.ts`, and talk to it with `nc localhost 9999`.
 *
 * - **Deno**: 2.8 or later. Node.js and Bun are not supported.
 * - **Systems**: all tests run on Linux. macOS and Windows were not tried; `docs/versions.md` lists what they lack.
 * - **IPv6**: `addressFamily: AF_INET6`; on Linux and macOS the address `"::"` takes IPv4 clients too.
 * - **TLS**: pass `ssl`, an `SSLContext` of `@socketserver/socketserver/ssl`; clients use its `wrapSocket`.
 * - **Permissions**: `--allow-net`, or as narrow as `--allow-net=127.0.0.1:9999`. Unix sockets need `--allow-read` and
 *   `--allow-write` too, handlers in workers `--allow-read`, and handlers in child processes `--allow-run` and
 *   `--allow-env=NODE_V8_COVERAGE`. Unix datagrams need `--unstable-net`.
 * - **Guides**, in the package's files: `docs/guide.md`, `docs/recipes.md`, `docs/porting.md` for those who know
 *   Python's modules, and `examples/README.md`.
 *
 * ## Classes
 *
 * A server class stands for the transport, a mix-in for the way to run, and your handler class for the protocol. Each
 * pair of a mix-in and a server exists ready-made: {@linkcode AsyncTCPServer}, {@linkcode ThreadingUDPServer},
 * {@linkcode ForkingUnixStreamServer} and so on.
 *
 * ```text
 * BaseServer                  the loop, and one method for each stage of a request
 * └── SocketServer            one socket: bind, activate, close
 *     ├── StreamServer        a request is a connection
 *     │   ├── TCPServer
 *     │   └── UnixStreamServer
 *     └── DatagramServer      a request is a datagram
 *         ├── UDPServer
 *         └── UnixDatagramServer
 *
 * BaseRequestHandler          setup, handle, finish
 * ├── StreamRequestHandler    the connection as two files: rfile, wfile
 * ├── DatagramRequestHandler  the datagram and its answer as two files
 * └── DualRequestHandler      either of the two, for a protocol over TCP and UDP
 *
 * AsyncMixIn                  requests run as tasks, many at a time
 * ThreadingMixIn              handlers run in workers, on all processors
 * ForkingMixIn                handlers run in child processes, each with few permissions
 * ```
 *
 * A handler that runs in a worker or in a child process is exported from its module and names that module:
 * `static readonly moduleUrl = import.meta.url`.
 *
 * A request goes through these stages. Each is a method of the server or of the handler that you may override:
 *
 * ```text
 * getRequest -> verifyRequest -> processRequest -> finishRequest -> [setup -> handle -> finish]
 *            -> shutdownRequest -> closeRequest
 * ```
 *
 * {@linkcode Socket} has the methods of Python's socket object, for clients and for protocols without a server class.
 *
 * @example Serve and ask in one program
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { AsyncTCPServer, createConnection, StreamRequestHandler } from "@socketserver/socketserver";
 *
 * class Upper extends StreamRequestHandler {
 *   override async handle() {
 *     for await (const line of this.rfile) {
 *       await this.wfile.write(new TextDecoder().decode(line).toUpperCase());
 *     }
 *   }
 * }
 *
 * await using server = new AsyncTCPServer(["127.0.0.1", 0], Upper);
 * server.serveForever();
 *
 * using client = await createConnection(server.serverAddress);
 * await client.sendall(new TextEncoder().encode("hello\n"));
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "HELLO\n");
 * ```
 *
 * @module
 */

import "./internal/runtime/system/deno_version.ts"; // first, so that an older Deno meets nothing else

export {
  BaseServer,
  DatagramServer,
  SocketServer,
  StreamServer,
  TCPServer,
  UDPServer,
  UnixDatagramServer,
  UnixStreamServer,
} from "./server.ts";
export type {
  AddressOf,
  AnyHandlerServer,
  BaseServerOptions,
  DatagramRequest,
  FitsServer,
  HandlerServer,
  LimitName,
  OwnOptions,
  RejectReason,
  RequestHandler,
  RequestHandlerConstructor,
  ServeForeverOptions,
  ServerAddress,
  ServerCloseOptions,
  ServerCloseReport,
  ServerOptions,
  ServerSocket,
  ServerStages,
  ServerState,
  ServerStatus,
  WaitForConnectionsOptions,
} from "./server.ts";
export { serve } from "./internal/server/serve.ts";
export type { ServeOptions } from "./internal/server/serve.ts";
export { sdNotify } from "./internal/server/service_notifier.ts";
export type { ServiceNotification } from "./internal/server/service_notifier.ts";

export {
  BaseRequestHandler,
  BlockingRequestHandler,
  BlockingStreamRequestHandler,
  DatagramRequestHandler,
  DualRequestHandler,
  StreamRequestHandler,
} from "./handlers.ts";
export type { BlockingSSLSocket } from "./internal/blocking/blocking_ssl_socket.ts";
export type { BlockingSocket } from "./internal/blocking/blocking_socket.ts";
export {
  createConnectionSync,
  selectSync,
} from "./internal/blocking/blocking_functions.ts";
export type {
  Blocking,
  BlockingBytes,
  BlockingFileForMode,
  BlockingFileOf,
  BlockingReader,
  BlockingRWPair,
  BlockingTextReader,
  BlockingTextRWPair,
  BlockingTextWriter,
  BlockingWriter,
} from "./internal/blocking/blocking_types.ts";
export type {
  BlockingFileLike,
  BlockingOpenFile,
} from "./internal/blocking/blocking_sendfile.ts";

export {
  AsyncMixIn,
  AsyncTCPServer,
  AsyncUDPServer,
  AsyncUnixDatagramServer,
  AsyncUnixStreamServer,
  ForkingMixIn,
  ForkingTCPServer,
  ForkingUDPServer,
  ForkingUnixDatagramServer,
  ForkingUnixStreamServer,
  ProxyProtocolMixIn,
  ThreadingMixIn,
  ThreadingTCPServer,
  ThreadingUDPServer,
  ThreadingUnixDatagramServer,
  ThreadingUnixStreamServer,
} from "./mixins.ts";
export type {
  BlockingHandlerConstructor,
  ChildPermissions,
  CollectOptions,
  ConcurrentServer,
  ForkingMixInOptions,
  ForkingOptions,
  MaxConnectionsPolicy,
  MixedIn,
  MixedInHandler,
  MixedInParameters,
  MixInOptions,
  MixInStatics,
  ProxyProtocolOptions,
  ResourceLimits,
  ServerConstructor,
  ThreadingOptions,
  WorkerServer,
} from "./mixins.ts";

export {
  createConnection,
  createServer,
  decodeProxyHeader,
  encodeProxyHeader,
  formatAddress,
  getaddrinfo,
  getdefaulttimeout,
  getfqdn,
  gethostbyname,
  gethostname,
  getnameinfo,
  hasDualstackIPv6,
  htonl,
  htons,
  inetAton,
  inetNtoa,
  inetNtop,
  inetPton,
  inheritedSocket,
  inheritedSockets,
  ntohl,
  ntohs,
  proxyHeaderOf,
  relay,
  select,
  setdefaulttimeout,
  Socket,
  socketpair,
  warnings,
} from "./socket.ts";
export type {
  AbortOptions,
  Address,
  AddressLike,
  AddrInfo,
  Bytes,
  BytesLike,
  CreateConnectionOptions,
  CreateServerOptions,
  DatagramOption,
  DatagramTransport,
  FileLike,
  FromFdOptions,
  InetAddress,
  ListenerTransport,
  MessageOptions,
  OpenFile,
  OptionValue,
  PathOptions,
  RelayOptions,
  RelayReport,
  Selectable,
  StreamTransport,
  Transport,
  TransportAddr,
  Warnings,
} from "./socket.ts";

export {
  BlockingIOError,
  BrokenPipeError,
  ConnectionAbortedError,
  ConnectionError,
  ConnectionRefusedError,
  ConnectionResetError,
  FileExistsError,
  FileNotFoundError,
  GaiError,
  HError,
  InterruptedError,
  OSError,
  PermissionError,
  TimeoutError,
} from "./socket.ts";
export type {
  OSErrorOptions,
  ProxyHeader,
  ProxyHeaderOptions,
  ProxySsl,
  ProxyTlv,
} from "./socket.ts";

export { BufferedReader } from "./internal/files/buffered_reader.ts";
export type {
  BufferedReaderOptions,
  ReadUntilOptions,
} from "./internal/files/reader_core.ts";
export { BufferedRWPair, TextRWPair } from "./internal/files/rw_pair.ts";
export { BufferedWriter } from "./internal/files/buffered_writer.ts";
export type { BufferedWriterOptions } from "./internal/files/writer_core.ts";
export type { TextErrors } from "./internal/files/codecs.ts";
export {
  IncompleteReadError,
  LimitOverrunError,
} from "./internal/files/read_errors.ts";
export type {
  FileForMode,
  MakefileModes,
  MakefileOptions,
  SocketFile,
} from "./internal/files/makefile.ts";
export type { Newline } from "./internal/files/newlines.ts";
export { TextReader } from "./internal/files/text_reader.ts";
export type {
  TextReaderOptions,
  TextWriterOptions,
} from "./internal/files/text_core.ts";
export { TextWriter } from "./internal/files/text_writer.ts";
export type {
  ByteSink,
  ByteSource,
  Tied,
} from "./internal/files/raw_streams.ts";
export type { WriteData, Writer } from "./internal/files/file_writer.ts";

export {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  AF_UNSPEC,
  AI_ADDRCONFIG,
  AI_CANONNAME,
  AI_NUMERICHOST,
  AI_NUMERICSERV,
  AI_PASSIVE,
  EAI_ADDRFAMILY,
  EAI_AGAIN,
  EAI_BADFLAGS,
  EAI_FAIL,
  EAI_FAMILY,
  EAI_NONAME,
  EAI_SERVICE,
  EAI_SOCKTYPE,
  IP_ADD_MEMBERSHIP,
  IP_DROP_MEMBERSHIP,
  IP_MULTICAST_LOOP,
  IP_MULTICAST_TTL,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV6_V6ONLY,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_WAITALL,
  NI_DGRAM,
  NI_NAMEREQD,
  NI_NUMERICHOST,
  NI_NUMERICSERV,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SO_ACCEPTCONN,
  SO_BROADCAST,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_RCVBUF,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_TYPE,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
  SOMAXCONN,
  TCP_NODELAY,
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
