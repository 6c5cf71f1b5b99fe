/**
 * Python's `socketserver` module, the servers: one method for each stage of a request.
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
 * The loop and the stages of a request, for any kind of server. What is left to subclasses:
 * `fileno`, which says what to wait for, and `getRequest`.
 *
 * The stages, in this order: `getRequest`, `verifyRequest`, `processRequest`, `finishRequest`
 * (the handler's `setup`, `handle`, `finish`), `shutdownRequest`, `closeRequest`.
 *
 * Resource handling: the server owns its socket and the requests it gets. {@linkcode
 * BaseServer.serverClose}, or `await using`, closes them. Error handling: what a handler throws goes
 * to `handleError`, and the server goes on. What a hook of the loop itself throws (`serviceActions`,
 * `handleTimeout`, and without a mix-in `handleError` and `shutdownRequest`) ends `serveForever` with it. What
 * `handleError` and `shutdownRequest` of a server with a mix-in throw is printed, and the server goes on: it is the
 * matter of one client.
 *
 * @typeParam R What a request is.
 */
export abstract class BaseServer<R = unknown> implements ServerStages<R> {
  /** Seconds that `handleRequest` waits; null is no limit. */
  static timeout: number | null = null;
  /** Whether `handleError` prints errors of clients that are gone or silent. */
  static reportLostClients = true;
  /** Seconds that `await using` and `serve` wait for the requests under way; null is no limit. */
  static closeTimeout: number | null = 10;

  /** The address of the server; the real one, once bound. */
  serverAddress: Address;
  /** The class that handles requests. */
  RequestHandlerClass: RequestHandlerConstructor;
  /** Seconds that {@linkcode BaseServer.handleRequest} waits; null is no limit. */
  timeout: number | null;
  /** Whether `handleError` prints errors of clients that are gone or silent. */
  reportLostClients: boolean;
  /** Seconds that `await using` and `serve` wait for the requests under way; null is no limit. */
  closeTimeout: number | null;

  readonly #loop: ServeLoop<R> = new ServeLoop(this);

  static {
    untimedActions.add(this.prototype.serviceActions);
  }

  /**
   * Keeps what it is given, and opens nothing.
   *
   * @param serverAddress `[host, port]`, or a path.
   * @param RequestHandlerClass The class that handles requests.
   * @param options What differs from the static fields.
   * @throws {TypeError} when the handler is not a class with a `handle` method, or the options are no object.
   * @throws {Error} while the module of a handler is loaded in a worker or a child: a program makes its server only
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
   * Handles requests until {@linkcode BaseServer.shutdown}.
   *
   * @param options What ends it, and the rhythm of `serviceActions`.
   * @throws {OSError} when requests cannot be got any more.
   */
  serveForever(options: ServeForeverOptions = {}): Promise<void> {
    return this.#loop.serveForever(options);
  }

  /**
   * Ends {@linkcode BaseServer.serveForever}. May be called from anywhere, a handler included. While
   * the server does not serve, it ends the next `serveForever` as soon as that begins.
   *
   * @returns Resolves when no further request will be got. The promise of `serveForever` resolves when the
   *   loop has ended.
   */
  shutdown(): Promise<void> {
    return this.#loop.shutdown();
  }

  /** Called by the loop after each request, and every `pollInterval`. May be overridden. */
  serviceActions(): void | Promise<void> {}

  /**
   * Handles one request, without a loop. Waits for it at most as long as the smaller one of
   * `timeout` and the socket's timeout, and then calls {@linkcode BaseServer.handleTimeout}.
   *
   * @throws {OSError} when the request cannot be got.
   */
  handleRequest(): Promise<void> {
    return this.#loop.handleRequest();
  }

  /** Called by `handleRequest` when no request came in time. May be overridden. */
  handleTimeout(): void | Promise<void> {}

  /** The number of what to wait for, as `select` takes it. */
  abstract fileno(): number;

  /**
   * Gets a request; called when one is ready.
   *
   * @returns The request, an object of its own, and the client's address; or a promise of them.
   * @throws {OSError} when there is none after all; the server goes on, unless its socket is closed. So it does
   *   after other errors of the system, such as that of a TLS handshake. A bug ends the loop. May be overridden.
   */
  abstract getRequest(): [R, Address] | Promise<[R, Address]>;

  /**
   * Says whether to handle a request. Others are shut down. May be overridden.
   *
   * @param _request The request.
   * @param _clientAddress The client's address.
   * @returns True for yes.
   */
  verifyRequest(
    _request: R,
    _clientAddress: Address,
  ): boolean | Promise<boolean> {
    return true;
  }

  /**
   * Handles a request to its end. The mix-ins override it to do so elsewhere. May be overridden.
   *
   * @param request The request.
   * @param clientAddress The client's address.
   * @returns A promise, where something had to be waited for.
   */
  processRequest(request: R, clientAddress: Address): void | Promise<void> {
    return processRequest(this, request, clientAddress);
  }

  /**
   * Closes the server: it gets no further request, the handlers' `signal` aborts, and what is under way may
   * end, or is cut off after the timeout. A handler, or a hook of a request, cannot wait for itself: called there,
   * `serverClose` resolves, to zeros, when no further request will be got, and the rest goes on in the background.
   * May be extended; call super.
   *
   * @param options How long to wait.
   * @returns How the requests under way ended.
   */
  serverClose(options: ServerCloseOptions = {}): Promise<ServerCloseReport> {
    return this.#loop.close(options);
  }

  /**
   * Makes a handler for a request and runs it: `setup`, `handle`, `finish`. May be overridden.
   *
   * @param request The request.
   * @param clientAddress The client's address.
   * @returns A promise, where one of them had to wait.
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
   * Frees what a request holds. May be overridden.
   *
   * @param _request The request.
   */
  closeRequest(_request: R): void | Promise<void> {}

  /**
   * Called with what a stage of a request threw. Prints what Python prints, to stderr, but nothing of lost clients
   * where `reportLostClients` is false. May be overridden.
   *
   * @param _request The request.
   * @param clientAddress The client's address.
   * @param error What was thrown.
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
   * Called when {@linkcode BaseServer.getRequest} has failed and the server goes on: the client was gone, a handshake
   * failed, or descriptors ran out. `status` counts these failures. May be overridden.
   *
   * @param _error What `getRequest` threw.
   */
  handleAcceptError(_error: unknown): void | Promise<void> {}

  /**
   * Called when descriptors or memory run out, once until the server has got ten requests in a row again. Prints one
   * line to stderr. May be overridden.
   *
   * @param error What `getRequest` threw, such as EMFILE.
   */
  handleShortage(error: OSError): void | Promise<void> {
    say(`${error.message}; clients wait until there is room again`);
  }

  /**
   * Called when the server has waited a second for requests to end, as it closes. Prints one line to stderr. May be
   * overridden.
   *
   * @param clients The hosts, or paths, of the clients; "" for one that has none.
   * @param seconds Seconds until the requests are cut off; null is no limit.
   */
  handleSlowClose(
    clients: string[],
    seconds: number | null,
  ): void | Promise<void> {
    saySlowClose(formatAddress(this.serverAddress), clients, seconds);
  }

  /**
   * A signal for the handler of a request, which aborts when the server drains.
   *
   * @param request The request.
   * @returns The signal.
   */
  requestSignal(request: R): AbortSignal {
    return requestsOf(this).signal(request);
  }

  /** How the server is doing. */
  get status(): ServerStatus {
    const requests = requestsOf(this);
    return { ...requests.status, active: requests.size };
  }

  /** Closes the server, for `await using`: waits at most `closeTimeout` for the requests under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.serverClose({ timeout: this.closeTimeout });
  }
}

/**
 * What the servers over sockets share: one socket that is bound, activated and closed.
 *
 * @typeParam R What a request is.
 */
export abstract class SocketServer<R> extends BaseServer<R> {
  /** `AF_INET`, `AF_INET6` or `AF_UNIX`. */
  static addressFamily: number = AF_INET;
  /** `SOCK_STREAM` or `SOCK_DGRAM`. */
  static socketType: number = SOCK_STREAM;
  /** How many connections may wait to be accepted; 511, Deno's default, where Python has 5. */
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
  /** How many connections may wait to be accepted. */
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
   * Binds and activates, unless `bindAndActivate` is false; a failure closes what was opened.
   *
   * @param serverAddress `[host, port]`, or a path.
   * @param RequestHandlerClass The class that handles requests.
   * @param options What differs from the static fields.
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

  /** Refuses handlers of connections for datagrams, and the reverse, unless `getRequest` may give what they need. */
  #checkHandlers(): void {
    const { constructor, getRequest, RequestHandlerClass } = this;
    if (
      getRequest !== TCPServer.prototype.getRequest &&
      getRequest !== UDPServer.prototype.getRequest
    ) return;
    const doing = `Cannot make a server of ${constructor.name}`;
    checkHandlerKind(RequestHandlerClass, this.socketType, doing);
  }

  /** Binds the socket to `serverAddress`, and sets that to the real address. May be overridden. */
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

  /** The number of the server's socket, for `select`; -1 when it is closed. */
  override fileno(): number {
    return this.socket.fileno();
  }
}

/**
 * A server for TCP, one request at a time: the next connection waits until the handler of this one has
 * ended. Mix in `AsyncMixIn` for many at a time.
 *
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

  /** Closes the listening socket, and then as {@linkcode BaseServer.serverClose}. */
  override async serverClose(
    options: ServerCloseOptions = {},
  ): Promise<ServerCloseReport> {
    const closed = super.serverClose(options);
    this.socket.close();
    const released = stateOf(this.socket).released;
    const [report] = await Promise.all([closed, released]);
    return report;
  }

  /** Accepts a connection; gives a promise only where none is there yet. May be overridden. */
  override getRequest(): [Socket, Address] | Promise<[Socket, Address]> {
    const { socket } = this;
    return socket.accept === Socket.prototype.accept
      ? acceptNow(socket) ?? socket.accept()
      : socket.accept();
  }

  /**
   * Ends the stream for the client, and then closes. A client that puts that off (a TLS handshake that stalls) is
   * waited for as long as the timeout of the socket says, or 2 seconds. May be overridden.
   */
  override async shutdownRequest(request: Socket): Promise<void> {
    try {
      await endRequest(request);
    } catch (error) {
      if (!(error instanceof OSError)) throw error; // the client is gone, or the handler closed it
    }
    await this.closeRequest(request);
  }

  /** Closes the connection and the files made of it. May be overridden. */
  override closeRequest(request: Socket): void {
    stateOf(request).close(false);
  }
}

/** How long answers that a client does not read are waited for when the server closes, in seconds. Arbitrary. */
const FLUSH_SECONDS = 1;

/** A server for UDP, one request at a time. A request is one datagram. */
export class UDPServer extends SocketServer<DatagramRequest> {
  /** `SOCK_DGRAM`. */
  static override socketType: number = SOCK_DGRAM;

  /**
   * Waits for the requests under way, which answer on the server's socket, and then closes it. Answers that a client
   * has not read yet are waited for as well, a second at most.
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

  /** Receives a datagram; gives a promise only where none is there yet. May be overridden. */
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

/** A server on a Unix stream socket, one request at a time. Closing it removes the path. */
export class UnixStreamServer extends TCPServer {
  /** `AF_UNIX`. */
  static override addressFamily: number = AF_UNIX;
}

/** A server on a Unix datagram socket, one request at a time; needs `--unstable-net`. The path stays. */
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
