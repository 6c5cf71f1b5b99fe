/**
 * The servers of Python's `socketserver`: {@linkcode TCPServer}, {@linkcode UDPServer}, {@linkcode UnixStreamServer} and
 * {@linkcode UnixDatagramServer}. Each stage of a request is one method that you can override.
 *
 * @module
 */

import "./internal/runtime/deno_version.ts"; // first, so that an older Deno meets nothing else

import { checkSize, checkTimeout } from "./internal/base/arguments.ts";
import {
  acceptNow,
  endRequest,
  stateOf,
} from "./internal/socket/socket_object.ts";
import { checkNotLoading } from "./internal/handoff/handler_reference.ts";
import { checkHandlerClass } from "./internal/handoff/handler_reference.ts";
import { saySlowClose } from "./internal/server/drain.ts";
import { formatAddress } from "./internal/base/address.ts";
import {
  processRequest,
  runHandler,
} from "./internal/server/request_stages.ts";
import {
  type BaseServerOptions,
  checkOptions,
  type ServeForeverOptions,
  type ServerCloseOptions,
  type ServerCloseReport,
  type ServerOptions,
  setting,
} from "./internal/server/server_options.ts";
import { checkHandlerKind } from "./internal/server/handler_kinds.ts";
import { errorReport, isLostClient, say } from "./internal/server/report.ts";
import { afterDrain, requestsOf } from "./internal/server/request_registry.ts";
import { readyWithin, untimedActions } from "./internal/server/loop_waiter.ts";
import { ServeLoop } from "./internal/server/serve_loop.ts";
import type {
  DatagramRequest,
  RequestHandlerConstructor,
  ServerStages,
  ServerStatus,
} from "./internal/server/stages.ts";
import {
  type Address,
  type AddressLike,
  AF_INET,
  AF_UNIX,
  type InetAddress,
  OSError,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
  SOL_SOCKET,
} from "./socket.ts";

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
 * The base of all servers: the loop, and one method for each stage of a request. A subclass provides `fileno`, the
 * number of the socket that the loop waits on, and `getRequest`.
 *
 * A request goes through these stages, in this order: `getRequest`, `verifyRequest`, `processRequest`, `finishRequest`
 * (the handler's `setup`, `handle`, `finish`), `shutdownRequest`, `closeRequest`.
 *
 * Resource handling: the server owns its socket and its requests. {@linkcode BaseServer.serverClose}, or `await using`,
 * closes them.
 *
 * Error handling: an error of a handler goes to `handleError`, and the server goes on. An error of a hook of the loop
 * (`serviceActions`, `handleTimeout`) ends `serveForever` with that error. So does an error of `handleError` or
 * `shutdownRequest` without a mix-in; with a mix-in the server prints the error and goes on.
 *
 * @category Servers
 * @typeParam R The type of a request.
 */
export abstract class BaseServer<R = unknown> implements ServerStages<R> {
  /** The seconds that `handleRequest` waits; null is no limit. */
  static timeout: number | null = null;
  /** Whether `handleError` prints the errors of clients that are gone or silent. */
  static reportLostClients = true;
  /** The seconds that `await using` and `serve` wait for the requests under way; null is no limit. */
  static closeTimeout: number | null = 10;

  /** The address of the server; the real address once the socket is bound. */
  serverAddress: Address;
  /** The class that handles requests. */
  RequestHandlerClass: RequestHandlerConstructor;
  /** The seconds that {@linkcode BaseServer.handleRequest} waits; null is no limit. */
  timeout: number | null;
  /** Whether `handleError` prints the errors of clients that are gone or silent. */
  reportLostClients: boolean;
  /** The seconds that `await using` and `serve` wait for the requests under way; null is no limit. */
  closeTimeout: number | null;

  readonly #loop: ServeLoop<R> = new ServeLoop(this);

  static {
    untimedActions.add(this.prototype.serviceActions);
  }

  /**
   * Creates a server. No socket is opened.
   *
   * @param serverAddress `[host, port]`, or a path.
   * @param RequestHandlerClass The class that handles requests.
   * @param options Settings that replace the static fields of the same names.
   * @throws {TypeError} if the handler is not a class with a `handle` method, or the options are not an object.
   * @throws {Error} while a worker or a child loads the module of a handler: create the server only
   *   `if (import.meta.main)`.
   */
  constructor(
    serverAddress: AddressLike,
    RequestHandlerClass: RequestHandlerConstructor<R>,
    options: BaseServerOptions = {},
  ) {
    checkNotLoading();
    checkHandlerClass(RequestHandlerClass);
    checkOptions(options);
    this.serverAddress = Array.isArray(serverAddress)
      ? [...serverAddress] as InetAddress
      : serverAddress as string; // anything else is for bind() to name
    this.RequestHandlerClass = RequestHandlerClass;
    this.timeout = setting(this, options, "timeout");
    this.reportLostClients = setting(this, options, "reportLostClients");
    this.closeTimeout = setting(this, options, "closeTimeout");
    checkTimeout(this.timeout);
    checkTimeout(this.closeTimeout);
  }

  /** Makes the server ready for requests. May be overridden. */
  serverActivate(): void {}

  /**
   * Handles requests until {@linkcode BaseServer.shutdown} is called.
   *
   * @param options A signal that stops the loop, and the interval of `serviceActions`.
   * @throws {OSError} if the socket of the server fails.
   */
  serveForever(options: ServeForeverOptions = {}): Promise<void> {
    return this.#loop.serveForever(options);
  }

  /**
   * Stops {@linkcode BaseServer.serveForever}. May be called from anywhere, a handler included. If the server does not
   * serve, the next `serveForever` ends as soon as it begins.
   *
   * @returns A promise that resolves when the server gets no further request. The promise of `serveForever` resolves
   *   when the loop has ended.
   */
  shutdown(): Promise<void> {
    return this.#loop.shutdown();
  }

  /** Does nothing. The loop calls this hook after each request and every `pollInterval`. May be overridden. */
  serviceActions(): void | Promise<void> {}

  /**
   * Handles one request, without a loop. Waits for the request at most `timeout` or the socket's timeout, whichever is
   * shorter, and then calls {@linkcode BaseServer.handleTimeout}.
   *
   * @throws {OSError} if the socket of the server fails.
   */
  handleRequest(): Promise<void> {
    return this.#loop.handleRequest();
  }

  /** Does nothing. `handleRequest` calls this hook if no request came in time. May be overridden. */
  handleTimeout(): void | Promise<void> {}

  /** Returns the socket number that the serve loop waits on, as `select` takes it. */
  abstract fileno(): number;

  /**
   * Gets a request. The loop calls this method when a request is ready. May be overridden.
   *
   * @returns The request, an object of its own, and the client's address; or a promise of them.
   * @throws {OSError} if there is no request after all. The server goes on, unless its socket is closed. The server also
   *   goes on after other errors of the system, such as a failed TLS handshake. Any other error ends the loop.
   */
  abstract getRequest(): [R, Address] | Promise<[R, Address]>;

  /**
   * Reports whether to accept a request. Rejected requests are closed. May be overridden.
   *
   * @param _request The request.
   * @param _clientAddress The client's address.
   * @returns Whether to accept the request; true here.
   */
  verifyRequest(
    _request: R,
    _clientAddress: Address,
  ): boolean | Promise<boolean> {
    return true;
  }

  /**
   * Handles a request to its end. The mix-ins override this method to run the request elsewhere. May be overridden.
   *
   * @param request The request.
   * @param clientAddress The client's address.
   * @returns A promise if the request takes time.
   */
  processRequest(request: R, clientAddress: Address): void | Promise<void> {
    return processRequest(this, request, clientAddress);
  }

  /**
   * Closes the server. The server gets no further request, aborts the `signal` of the handlers, waits for the requests
   * under way, and cuts them off after the timeout. A handler, or a hook of a request, cannot wait for itself: called
   * there, `serverClose` resolves to zeros at once, and the rest goes on in the background. May be extended; call super.
   *
   * @param options The time to wait.
   * @returns The number of requests that finished, and of those that were cut off.
   */
  serverClose(options: ServerCloseOptions = {}): Promise<ServerCloseReport> {
    return this.#loop.close(options);
  }

  /**
   * Creates a handler for a request and runs `setup`, `handle` and `finish`. May be overridden.
   *
   * @param request The request.
   * @param clientAddress The client's address.
   * @returns A promise if the handler takes time.
   */
  finishRequest(request: R, clientAddress: Address): void | Promise<void> {
    return runHandler(
      new this.RequestHandlerClass(request, clientAddress, this),
    );
  }

  /**
   * Ends a request. May be overridden.
   *
   * @param request The request.
   */
  shutdownRequest(request: R): void | Promise<void> {
    return this.closeRequest(request);
  }

  /**
   * Frees the resources of a request. May be overridden.
   *
   * @param _request The request.
   */
  closeRequest(_request: R): void | Promise<void> {}

  /**
   * Reports an error thrown while handling a request. Prints to stderr what Python prints; nothing about lost clients if
   * `reportLostClients` is false. May be overridden.
   *
   * @param _request The request.
   * @param clientAddress The client's address.
   * @param error The error.
   */
  handleError(
    _request: R,
    clientAddress: Address,
    error: unknown,
  ): void | Promise<void> {
    if (!this.reportLostClients && isLostClient(error, clientAddress)) return;
    say(errorReport(clientAddress, error));
  }

  /**
   * Does nothing. The loop calls this hook if {@linkcode BaseServer.getRequest} has failed and the server goes on: the
   * client was gone, a handshake failed, or descriptors ran out. `status` counts these failures. May be overridden.
   *
   * @param _error The error of `getRequest`.
   */
  handleAcceptError(_error: unknown): void | Promise<void> {}

  /**
   * Prints one line to stderr. The loop calls this hook if descriptors or memory run out, once until the server has got
   * ten requests in a row again. May be overridden.
   *
   * @param error The error of `getRequest`, such as EMFILE.
   */
  handleShortage(error: OSError): void | Promise<void> {
    say(`${error.message}; clients wait until there is room again`);
  }

  /**
   * Prints one line to stderr. `serverClose` calls this hook after it has waited a second for the requests under way.
   * May be overridden.
   *
   * @param clients The hosts, or paths, of the clients; "" for a client without one.
   * @param seconds The seconds until the requests are cut off; null is no limit.
   */
  handleSlowClose(
    clients: string[],
    seconds: number | null,
  ): void | Promise<void> {
    saySlowClose(formatAddress(this.serverAddress), clients, seconds);
  }

  /**
   * Returns a signal for the handler of a request. The signal is aborted when the server shuts down.
   *
   * @param request The request.
   * @returns The signal.
   */
  requestSignal(request: R): AbortSignal {
    return requestsOf(this).signal(request);
  }

  /** Returns a snapshot of the server's counters. */
  get status(): ServerStatus {
    const requests = requestsOf(this);
    return { ...requests.status, active: requests.size };
  }

  /** Closes the server, for `await using`. Waits at most `closeTimeout` for the requests under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.serverClose({ timeout: this.closeTimeout });
  }
}

/**
 * The base of the servers over a socket: binds, activates and closes that socket.
 *
 * @category Servers
 * @typeParam R The type of a request.
 */
export abstract class SocketServer<R> extends BaseServer<R> {
  /** `AF_INET`, `AF_INET6` or `AF_UNIX`. */
  static addressFamily: number = AF_INET;
  /** `SOCK_STREAM` or `SOCK_DGRAM`. */
  static socketType: number = SOCK_STREAM;
  /** The number of connections that may wait to be accepted: 511, Deno's default; Python has 5. */
  static requestQueueSize = 511;
  /** SO_REUSEADDR. Deno sets it on every TCP listener. */
  static allowReuseAddress = false;
  /** SO_REUSEPORT: needs `--unstable-net`. */
  static allowReusePort = false;
  /** The permissions of a Unix server's path, such as `0o660`; null leaves them to the umask. */
  static pathMode: number | null = null;
  /** Whether a Unix server replaces the path of a socket that is closed. */
  static replaceStalePath = false;
  /** The most bytes of a datagram. */
  static maxPacketSize = 8192;

  /** `AF_INET`, `AF_INET6` or `AF_UNIX`. */
  addressFamily: number;
  /** `SOCK_STREAM` or `SOCK_DGRAM`. */
  socketType: number;
  /** The number of connections that may wait to be accepted. */
  requestQueueSize: number;
  /** SO_REUSEADDR. */
  allowReuseAddress: boolean;
  /** SO_REUSEPORT. */
  allowReusePort: boolean;
  /** The permissions of a Unix server's path, such as `0o660`; null leaves them to the umask. */
  pathMode: number | null;
  /** Whether a Unix server replaces the path of a socket that is closed. */
  replaceStalePath: boolean;
  /** The most bytes of a datagram. */
  maxPacketSize: number;
  /** The socket of the server. The server closes it. */
  socket: Socket;

  /**
   * Creates a server, binds its socket and activates it, unless `bindAndActivate` is false. A failure closes the socket.
   *
   * @param serverAddress `[host, port]`, or a path.
   * @param RequestHandlerClass The class that handles requests.
   * @param options Settings that replace the static fields of the same names.
   */
  constructor(
    serverAddress: AddressLike,
    RequestHandlerClass: RequestHandlerConstructor<R>,
    options: ServerOptions = {},
  ) {
    super(serverAddress, RequestHandlerClass, options);
    this.addressFamily = setting(this, options, "addressFamily");
    this.socketType = (this.constructor as typeof SocketServer).socketType;
    this.#checkHandlers();
    this.requestQueueSize = setting(this, options, "requestQueueSize");
    this.allowReuseAddress = setting(this, options, "allowReuseAddress");
    this.allowReusePort = setting(this, options, "allowReusePort");
    this.pathMode = setting(this, options, "pathMode");
    this.replaceStalePath = setting(this, options, "replaceStalePath");
    this.maxPacketSize = setting(this, options, "maxPacketSize");
    checkSize(this.maxPacketSize, "make a server", "maxPacketSize");
    this.socket = new Socket(this.addressFamily, this.socketType);
    if (options.bindAndActivate === false) return;
    try {
      this.serverBind();
      this.serverActivate();
    } catch (error) {
      this.socket.close();
      throw error;
    }
  }

  /** Refuses handlers of connections for datagrams, and the reverse, unless an override of `getRequest` may suit them. */
  #checkHandlers(): void {
    const { constructor, getRequest, RequestHandlerClass } = this;
    if (
      getRequest !== TCPServer.prototype.getRequest &&
      getRequest !== UDPServer.prototype.getRequest
    ) return;
    const doing = `Cannot make a server of ${constructor.name}`;
    checkHandlerKind(RequestHandlerClass, this.socketType, doing);
  }

  /** Binds the socket to `serverAddress`, and sets `serverAddress` to the real address. May be overridden. */
  serverBind(): void {
    if (this.allowReuseAddress) {
      this.socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    }
    if (this.allowReusePort) {
      this.socket.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1);
    }
    const { pathMode, replaceStalePath } = this;
    this.socket.bind(this.serverAddress, { pathMode, replaceStalePath });
    this.serverAddress = this.socket.getsockname();
  }

  /** Returns the number of the server's socket, for `select`; -1 if the socket is closed. */
  override fileno(): number {
    return this.socket.fileno();
  }
}

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
