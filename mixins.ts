/**
 * The mix-ins of Python's `socketserver`, and the server classes made with them. A mix-in decides how requests run: as
 * tasks on the event loop ({@linkcode AsyncMixIn}), in Web Workers ({@linkcode ThreadingMixIn}) or in child processes
 * ({@linkcode ForkingMixIn}).
 *
 * @example A server with a mix-in, and hooks of its own
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { StreamRequestHandler } from "@socketserver/socketserver/handlers";
 * import { AsyncMixIn } from "@socketserver/socketserver/mixins";
 * import { TCPServer } from "@socketserver/socketserver/server";
 * import { createConnection, type Socket } from "@socketserver/socketserver/socket";
 *
 * class Hello extends StreamRequestHandler {
 *   override async handle() {
 *     await this.wfile.write("hello");
 *   }
 * }
 *
 * class BusyServer extends AsyncMixIn(TCPServer) {
 *   static override maxConnections = 100;
 *   static override maxConnectionsPolicy = "reject" as const;
 *
 *   override async rejectRequest(request: Socket) {
 *     await request.sendall(new TextEncoder().encode("try again later"));
 *   }
 * }
 *
 * await using server = new BusyServer(["127.0.0.1", 0], Hello);
 * server.serveForever();
 *
 * using client = await createConnection(server.serverAddress);
 * strictEqual(new TextDecoder().decode(await client.recv(1024)), "hello");
 * ```
 *
 * @module
 */

import "./internal/runtime/system/deno_version.ts"; // first, so that an older Deno meets nothing else

export type {
  MixedIn,
  MixedInHandler,
  MixedInParameters,
} from "./internal/mixins/mixed_in.ts";
export {
  AsyncMixIn,
  AsyncTCPServer,
  AsyncUDPServer,
  AsyncUnixDatagramServer,
  AsyncUnixStreamServer,
} from "./internal/mixins/async_servers.ts";
export type { BlockingHandlerConstructor } from "./internal/mixins/threading_servers.ts";
export {
  ThreadingMixIn,
  ThreadingTCPServer,
  ThreadingUDPServer,
  ThreadingUnixDatagramServer,
  ThreadingUnixStreamServer,
} from "./internal/mixins/threading_servers.ts";
export type { ForkingMixInOptions } from "./internal/mixins/forking_servers.ts";
export {
  ForkingMixIn,
  ForkingTCPServer,
  ForkingUDPServer,
  ForkingUnixDatagramServer,
  ForkingUnixStreamServer,
} from "./internal/mixins/forking_servers.ts";
export { ProxyProtocolMixIn } from "./internal/mixins/proxy_protocol.ts";
export type { ProxyProtocolOptions } from "./internal/mixins/proxy_protocol.ts";
export type { ChildPermissions } from "./internal/handoff/permissions.ts";
export type {
  CollectOptions,
  ForkingOptions,
} from "./internal/children/forking_options.ts";
export type {
  ConcurrentServer,
  MixInOptions,
  MixInStatics,
  ServerConstructor,
} from "./internal/server/concurrent.ts";
export type { MaxConnectionsPolicy } from "./internal/requests/request_limits.ts";
export type { ThreadingOptions } from "./internal/workers/threading.ts";
export type { ResourceLimits } from "./internal/workers/worker_limits.ts";
export type { WorkerServer } from "./internal/stages/handler_types.ts";

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
  AddressOf,
  AnyHandlerServer,
  BaseServer,
  BaseServerOptions,
  DatagramRequest,
  DatagramServer,
  FitsServer,
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
  SocketServer,
  StreamServer,
  TCPServer,
  UDPServer,
  UnixDatagramServer,
  UnixStreamServer,
  WaitForConnectionsOptions,
} from "./server.ts";
export type {
  Blocking,
  BlockingFileForMode,
  BlockingFileLike,
  BlockingFileOf,
  BlockingOpenFile,
  BlockingReader,
  BlockingRWPair,
  BlockingSocket,
  BlockingTextReader,
  BlockingTextRWPair,
  BlockingTextWriter,
  BlockingWriter,
  HandlerServer,
} from "./handlers.ts";
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
