/**
 * Running a handler in a test.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { AF_INET, SOCK_DGRAM, SOCK_STREAM } from "../base/constants.ts";
import { memory } from "../base/memory.ts";
import { checkHandlerKind } from "../server/handler_class.ts";
import { runHandler, type Runnable } from "../server/request_stages.ts";
import type { DatagramRequest } from "../stages/stages.ts";
import type { AnyHandlerServer } from "../stages/handler_types.ts";
import type { Socket } from "../socket/socket_object.ts";
import { quiet } from "../waiting/promises.ts";
import {
  memoryDatagramServer,
  memorySocketpair,
  type MemorySocketpairOptions,
} from "./memory_socketpair.ts";
import { TestServer } from "./test_server.ts";

/**
 * A class of handlers that {@linkcode serveRequest} or {@linkcode serveDatagram} can run.
 *
 * @category Testing
 * @typeParam R The type of a request.
 * @typeParam H The type of the handlers.
 */
export type TestedHandler<R, H extends Runnable = Runnable> = new (
  request: R,
  // deno-lint-ignore no-explicit-any
  clientAddress: any,
  // deno-lint-ignore no-explicit-any
  server: any,
) => H;

/**
 * Options of {@linkcode serveRequest} and {@linkcode serveDatagram}.
 *
 * @category Testing
 */
export interface ServeRequestOptions
  extends Omit<MemorySocketpairOptions, "type"> {
  /**
   * The `clientAddress` of the handler.
   *
   * @default {the address of the client}
   */
  clientAddress?: Address;
  /**
   * The server's `options`.
   *
   * @default {an empty object}
   */
  options?: Readonly<Record<string, unknown>>;
  /** The server's `shared`. It is passed as it is, without a copy. */
  shared?: unknown;
  /** The `server` of the handler, in place of a {@linkcode TestServer}: for handlers that need their own server. */
  server?: AnyHandlerServer;
}

/**
 * A handler that runs, with its client.
 *
 * @category Testing
 * @typeParam H The type of the handler.
 */
export interface ServedRequest<H extends Runnable = Runnable>
  extends Disposable {
  /** The client. Send the request, and receive the answer. */
  readonly client: Socket;
  /** The handler. */
  readonly handler: H;
  /** The `server` of the handler. */
  readonly server: AnyHandlerServer;
  /**
   * Resolves when the request has ended: after `finish`, and after the close of the connection. Rejects with the error
   * that the handler threw.
   */
  readonly done: Promise<void>;
  /**
   * Aborts the `signal` of the handler, as a closing server does. If you passed your own `server`, that one aborts the
   * signal.
   */
  drain(): void;
  /** Aborts the client and the connection of the handler, for `using`. */
  [Symbol.dispose](): void;
}

/** Throws a TypeError for a class whose handlers cannot run here. */
function checkHandler(
  Handler: TestedHandler<never> & { blocking?: boolean },
  type: number,
): void {
  const doing = "Cannot run a handler";
  if (typeof Handler !== "function") {
    throw new TypeError(`${doing}: it must be a class, got ${typeof Handler}`);
  }
  checkHandlerKind(Handler, type, doing);
  if (!Handler.blocking) return;
  throw new TypeError(
    `${doing}: ${Handler.name} blocks its thread, so only a worker can run it; test it with a ThreadingTCPServer`,
  );
}

/** The sockets of a request. */
interface Sockets<R> {
  client: Socket;
  /** The server's end, or the server's socket. */
  socket: Socket;
  request: R;
}

function run<R, H extends Runnable>(
  Handler: TestedHandler<R, H>,
  { client, socket, request }: Sockets<R>,
  options: ServeRequestOptions,
): ServedRequest<H> {
  const { clientAddress = client.getsockname() } = options;
  const address = socket.getsockname();
  const testServer = new TestServer(address, options.options, options.shared);
  const server = options.server ?? testServer;
  const handler = new Handler(request, clientAddress, server);
  return {
    client,
    handler,
    server,
    done: quiet(runToEnd(handler, request, testServer)),
    drain: () => testServer.drain(),
    [Symbol.dispose]: () => {
      client.abort();
      socket.abort();
    },
  };
}

/** Runs a handler, and then ends its request, or the one that it has put in its place. */
async function runToEnd(
  handler: Runnable & { request?: unknown },
  request: unknown,
  server: TestServer,
): Promise<void> {
  try {
    await runHandler(handler);
  } finally {
    const { request: current = request } = handler;
    await server.shutdownRequest(current);
  }
}

/**
 * Runs a handler of connections for one client in memory: `setup`, `handle` and `finish`, and then the close of the
 * connection, as a server does. Needs no network and no permission. The handler runs on the event loop, whatever server
 * it is for.
 *
 * @typeParam H The type of the handler.
 * @param Handler The class of the handler.
 * @param options Addresses, the server, and the size of the buffers.
 * @returns The client, the handler, and a promise of its end.
 * @throws {TypeError} if the handler is for datagrams, or blocks its thread. Errors of the constructor are thrown too.
 * @category Testing
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { StreamRequestHandler } from "@socketserver/socketserver";
 * import { serveRequest } from "@socketserver/socketserver/testing";
 *
 * class Upper extends StreamRequestHandler {
 *   override async handle() {
 *     const line = await this.rfile.readline();
 *     await this.wfile.write(new TextDecoder().decode(line).toUpperCase());
 *   }
 * }
 *
 * using served = serveRequest(Upper);
 * await served.client.sendall(new TextEncoder().encode("hello\n"));
 * const answer = await served.client.recv(1024);
 * strictEqual(new TextDecoder().decode(answer), "HELLO\n");
 * await served.done;
 * ```
 */
export function serveRequest<H extends Runnable>(
  Handler: TestedHandler<Socket, H>,
  options: ServeRequestOptions = {},
): ServedRequest<H> {
  checkHandler(Handler, SOCK_STREAM);
  const { family, bufferSize } = options;
  const [client, socket] = memorySocketpair({ family, bufferSize });
  return run(Handler, { client, socket, request: socket }, options);
}

/**
 * Runs a handler of datagrams for one datagram of a client in memory, as {@linkcode serveRequest} does for a connection.
 * The client receives what the handler sends to it.
 *
 * @typeParam H The type of the handler.
 * @param Handler The class of the handler.
 * @param packet The datagram.
 * @param options Addresses, the server, and the size of the buffers.
 * @returns The client, the handler, and a promise of its end.
 * @throws {TypeError} if the handler is for connections. Errors of the constructor are thrown too.
 * @category Testing
 * @example
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { DatagramRequestHandler } from "@socketserver/socketserver";
 * import { serveDatagram } from "@socketserver/socketserver/testing";
 *
 * class Length extends DatagramRequestHandler {
 *   override async handle() {
 *     await this.wfile.write(`${this.packet.length}`);
 *   }
 * }
 *
 * using served = serveDatagram(Length, new Uint8Array(300));
 * strictEqual(new TextDecoder().decode(await served.client.recv(100)), "300");
 * ```
 */
export function serveDatagram<H extends Runnable>(
  Handler: TestedHandler<DatagramRequest, H>,
  packet: Uint8Array,
  options: ServeRequestOptions = {},
): ServedRequest<H> {
  checkHandler(Handler, SOCK_DGRAM);
  const { family = AF_INET, bufferSize } = options;
  const [client, socket] = memoryDatagramServer(family, bufferSize);
  const data = memory(packet.length);
  data.set(packet);
  const request: DatagramRequest = [data, socket];
  return run(Handler, { client, socket, request }, options);
}
