/**
 * The handlers of Python's `socketserver`: one object for each request. Extend {@linkcode StreamRequestHandler} for
 * connections, {@linkcode DatagramRequestHandler} for datagrams, {@linkcode DualRequestHandler} for both, and
 * {@linkcode BlockingStreamRequestHandler} for code without `await`. A server creates the handler, and calls its `setup`,
 * `handle` and `finish`.
 *
 * @example A handler of lines
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { StreamRequestHandler } from "@socketserver/socketserver/handlers";
 * import { TCPServer } from "@socketserver/socketserver/server";
 * import { createConnection } from "@socketserver/socketserver/socket";
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
 * await using server = new TCPServer(["127.0.0.1", 0], Upper);
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

export { BaseRequestHandler } from "./internal/handlers/base_handler.ts";
export { StreamRequestHandler } from "./internal/handlers/stream_handler.ts";
export { DatagramRequestHandler } from "./internal/handlers/datagram_handler.ts";
export { DualRequestHandler } from "./internal/handlers/dual_handler.ts";
export {
  BlockingRequestHandler,
  BlockingStreamRequestHandler,
} from "./internal/handlers/blocking_handlers.ts";
export type {
  DatagramRequest,
  ServerStages,
} from "./internal/stages/stages.ts";
export type {
  AddressOf,
  AnyHandlerServer,
  HandlerServer,
  WorkerServer,
} from "./internal/stages/handler_types.ts";
export type { ServerState } from "./internal/stages/server_status.ts";
export { BufferedReader } from "./internal/files/buffered_reader.ts";
export type { Writer } from "./internal/files/file_writer.ts";

// The types that the signatures here name, so that this module can be used by itself.
export type {
  AbortOptions,
  Address,
  AddressLike,
  BufferedRWPair,
  Bytes,
  BytesLike,
  CreateConnectionOptions,
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
} from "./socket.ts";
export type {
  ServeForeverOptions,
  ServerCloseOptions,
  ServerCloseReport,
} from "./internal/stages/server_options.ts";
export type {
  RequestHandler,
  RequestHandlerConstructor,
} from "./internal/stages/handler_types.ts";
export type {
  LimitName,
  RejectReason,
  ServerStatus,
} from "./internal/stages/server_status.ts";
export type {
  Blocking,
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
export type { BlockingSSLSocket } from "./internal/blocking/blocking_ssl_socket.ts";
export type { BlockingSocket } from "./internal/blocking/blocking_socket.ts";
export {
  createConnectionSync,
  selectSync,
} from "./internal/blocking/blocking_functions.ts";
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
