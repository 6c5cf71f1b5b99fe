/**
 * Tests without the network: two connected sockets in memory, faults between them, and the run of a handler for one
 * client. Nothing here needs a permission.
 *
 * @example A handler and its client
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { StreamRequestHandler } from "@socketserver/socketserver";
 * import { fragment, serveRequest } from "@socketserver/socketserver/testing";
 *
 * class Greeter extends StreamRequestHandler {
 *   override async handle() {
 *     const name = new TextDecoder().decode(await this.rfile.readline());
 *     await this.wfile.write(`hello, ${name}`);
 *   }
 * }
 *
 * using served = serveRequest(Greeter);
 * fragment(served.client); // its bytes arrive one at a time
 * await served.client.sendall(new TextEncoder().encode("world\n"));
 * await served.done;
 * const answer = await served.client.recv(1024);
 * strictEqual(new TextDecoder().decode(answer), "hello, world\n");
 * ```
 *
 * @module
 */

import "./internal/runtime/system/deno_version.ts"; // first, so that an older Deno meets nothing else

export {
  fragment,
  memorySocketpair,
  resume,
  stall,
} from "./internal/testing/memory_socketpair.ts";
export type { MemorySocketpairOptions } from "./internal/testing/memory_socketpair.ts";
export {
  serveDatagram,
  serveRequest,
} from "./internal/testing/serve_request.ts";
export type {
  ServedRequest,
  ServeRequestOptions,
  TestedHandler,
} from "./internal/testing/serve_request.ts";
export { TestServer } from "./internal/testing/test_server.ts";
export type { Runnable } from "./internal/server/request_stages.ts";
export type { DatagramRequest } from "./internal/stages/stages.ts";
export type {
  AnyHandlerServer,
  HandlerServer,
} from "./internal/stages/handler_types.ts";
export type {
  ServerFacts,
  ServerStub,
} from "./internal/handoff/server_stub.ts";

// The types that the signatures here name, so that this module can be used by itself.
export type { BufferedReader, Writer } from "./handlers.ts";
export type {
  AbortOptions,
  Address,
  AddressLike,
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
} from "./socket.ts";
