/**
 * The base of the servers over a socket.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { checkSize } from "../base/arguments.ts";
import {
  AF_INET,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_STREAM,
  SOL_SOCKET,
} from "../base/constants.ts";
import { DEFAULT_BACKLOG } from "../socket/binding.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type { SSLContext } from "../ssl/ssl_context.ts";
import { checkChange } from "./accept_in.ts";
import { BaseServer } from "./base_server.ts";
import { addressOfGiven, bindAndActivate } from "./bind_and_activate.ts";
import { bindPassable } from "./bind_passable.ts";
import { checkHandlerKind, standardGetRequests } from "./handler_class.ts";
import { checkSslOption } from "./handshakes.ts";
import {
  acceptRateOf,
  idleTimeoutOf,
  setAcceptRate,
  setIdleTimeout,
} from "../requests/limit_settings.ts";
import { requestsOf } from "../requests/request_registry.ts";
import { type ServerOptions, setting } from "../stages/server_options.ts";
import type { ServerAddress, ServerSocket } from "../stages/stages.ts";
import type { RequestHandlerConstructor } from "../stages/handler_types.ts";

/**
 * The base of the servers over a socket: binds, activates and closes that socket.
 *
 * @category Servers
 * @typeParam R The type of a request.
 * @typeParam A The type of the addresses.
 */
export abstract class SocketServer<R, A extends Address = Address>
  extends BaseServer<R, A> {
  /** `AF_INET`, `AF_INET6` or `AF_UNIX`. */
  static addressFamily: number = AF_INET;
  /** `SOCK_STREAM` or `SOCK_DGRAM`. */
  static socketType: number = SOCK_STREAM;
  /** The number of connections that may wait to be accepted: 511, Deno's default; Python has 5. */
  static requestQueueSize: number = DEFAULT_BACKLOG;
  /** Whether to set SO_REUSEADDR. Deno always sets it on TCP listeners. */
  static allowReuseAddress = false;
  /** Whether to set SO_REUSEPORT. Needs `--unstable-net`. */
  static allowReusePort = false;
  /** The permissions of a Unix server's path, such as `0o660`; null leaves them to the umask. */
  static pathMode: number | null = null;
  /** Whether a Unix server replaces the path that a killed program has left. */
  static replaceStalePath = false;
  /** The most bytes of a datagram. */
  static maxPacketSize = 8192;
  /** The most connections per second that the server accepts, for servers of streams; `Infinity` for no limit. */
  static maxAcceptRate: number = Infinity;
  /** The seconds that a connection may be idle, for servers of streams; null is no limit. */
  static idleTimeout: number | null = null;
  /** The settings of TLS, for servers of streams; null for a server without TLS. */
  static ssl: SSLContext | null = null;

  // Accessors, so that an instance field of a subclass, which would be set after the constructor has bound, is a type
  // error: a subclass sets the static field.
  readonly #settings: Settings;
  #socket: Socket;
  #maxPacketSize = 0;

  /** `AF_INET`, `AF_INET6` or `AF_UNIX`. A subclass sets the static field. */
  get addressFamily(): number {
    return this.#settings.addressFamily;
  }

  set addressFamily(addressFamily: number) {
    this.#checkUnbound("addressFamily");
    this.#settings.addressFamily = addressFamily;
  }

  /** `SOCK_STREAM` or `SOCK_DGRAM`. A subclass sets the static field. */
  get socketType(): number {
    return this.#settings.socketType;
  }

  set socketType(socketType: number) {
    this.#checkUnbound("socketType");
    this.#settings.socketType = socketType;
  }

  /** The number of connections that may wait to be accepted. A subclass sets the static field. */
  get requestQueueSize(): number {
    return this.#settings.requestQueueSize;
  }

  set requestQueueSize(requestQueueSize: number) {
    this.#checkUnbound("requestQueueSize");
    this.#settings.requestQueueSize = requestQueueSize;
  }

  /** Whether SO_REUSEADDR is set. A subclass sets the static field. */
  get allowReuseAddress(): boolean {
    return this.#settings.allowReuseAddress;
  }

  set allowReuseAddress(allowReuseAddress: boolean) {
    this.#checkUnbound("allowReuseAddress");
    this.#settings.allowReuseAddress = allowReuseAddress;
  }

  /** Whether SO_REUSEPORT is set. A subclass sets the static field. */
  get allowReusePort(): boolean {
    return this.#settings.allowReusePort;
  }

  set allowReusePort(allowReusePort: boolean) {
    this.#checkUnbound("allowReusePort");
    this.#settings.allowReusePort = allowReusePort;
  }

  /**
   * The permissions of a Unix server's path, such as `0o660`; null leaves them to the umask. A subclass sets the static
   * field.
   */
  get pathMode(): number | null {
    return this.#settings.pathMode;
  }

  set pathMode(pathMode: number | null) {
    this.#checkUnbound("pathMode");
    this.#settings.pathMode = pathMode;
  }

  /** Whether a Unix server replaces the path that a killed program has left. A subclass sets the static field. */
  get replaceStalePath(): boolean {
    return this.#settings.replaceStalePath;
  }

  set replaceStalePath(replaceStalePath: boolean) {
    this.#checkUnbound("replaceStalePath");
    this.#settings.replaceStalePath = replaceStalePath;
  }

  /** The most connections per second that the server accepts. May be changed at any time. */
  get maxAcceptRate(): number {
    return acceptRateOf(this);
  }

  set maxAcceptRate(maxAcceptRate: number) {
    const { acceptedIn } = requestsOf(this);
    checkChange(acceptedIn, "maxAcceptRate", maxAcceptRate);
    setAcceptRate(this, maxAcceptRate);
  }

  /** The seconds that a connection may be idle; null is no limit. May be changed at any time, for open connections too. */
  get idleTimeout(): number | null {
    return idleTimeoutOf(this);
  }

  set idleTimeout(idleTimeout: number | null) {
    setIdleTimeout(this, idleTimeout);
  }

  /** The most bytes of a datagram. May be changed at any time. */
  get maxPacketSize(): number {
    return this.#maxPacketSize;
  }

  set maxPacketSize(maxPacketSize: number) {
    checkSize(maxPacketSize, "set maxPacketSize", "the number of bytes");
    this.#maxPacketSize = maxPacketSize;
  }

  /** The settings of TLS; null for a server without TLS. */
  ssl: SSLContext | null;

  /** The socket of the server. The server closes it. */
  get socket(): ServerSocket<A> {
    return this.#socket as ServerSocket<A>;
  }

  set socket(socket: Socket) {
    this.#socket = socket;
  }

  /**
   * Creates a server, binds its socket and activates it, unless `bindAndActivate` is false. A failure closes the socket.
   * If `serverBind` or `serverActivate` returns a promise, the server is bound later, and `serveForever` waits for it.
   *
   * @param serverAddress `[host, port]`, a path, or a socket that is bound already.
   * @param RequestHandlerClass The class that handles requests.
   * @param options Settings that replace the static fields of the same names.
   * @throws {OSError} if the address cannot be bound: EADDRINUSE, EADDRNOTAVAIL, EACCES and so on.
   * @throws {TypeError} if the handler class or an option has the wrong type, or the socket is of another kind.
   * @throws {RangeError} if an option is out of range.
   * @throws {SSLError} if `ssl` lacks a certificate, or authorities to verify clients with.
   */
  constructor(
    serverAddress: ServerAddress<A> | Socket,
    RequestHandlerClass: RequestHandlerConstructor<R>,
    options: ServerOptions = {},
  ) {
    const address = addressOfGiven(serverAddress, new.target, Object(options));
    super(address, RequestHandlerClass, options);
    this.#settings = settingsOf(this, options);
    this.#checkHandlers();
    this.maxPacketSize = setting(this, options, "maxPacketSize");
    this.maxAcceptRate = setting(this, options, "maxAcceptRate");
    this.idleTimeout = setting(this, options, "idleTimeout");
    this.ssl = setting(this, options, "ssl");
    checkSslOption(this.ssl, this.socketType);
    const given = serverAddress instanceof Socket;
    if (given) this.#settings.addressFamily = serverAddress.family;
    this.#socket = given
      ? serverAddress
      : new Socket(this.addressFamily, this.socketType);
    if (options.bindAndActivate !== false) bindAndActivate(this, given);
  }

  /** Throws if the socket is bound: the system has used the setting then. */
  #checkUnbound(name: string): void {
    if (stateOf(this.#socket).endpoint === undefined) return;
    throw new Error(
      `Cannot set ${name}: the server is bound already; pass it as an option`,
    );
  }

  /** Refuses handlers of connections for datagrams, and the reverse, unless an override of `getRequest` may suit them. */
  #checkHandlers(): void {
    const { constructor, getRequest, RequestHandlerClass } = this;
    if (!standardGetRequests.has(getRequest)) return;
    const doing = `Cannot make a server of ${constructor.name}`;
    checkHandlerKind(RequestHandlerClass, this.socketType, doing);
  }

  /**
   * Binds the socket to `serverAddress`, and sets `serverAddress` to the real address. Not called if the constructor got
   * a socket. May be overridden.
   *
   * @returns A promise if an override takes time: `serveForever`, `handleRequest`, `select` and `serve` wait for it, and
   *   reject with its error. Until then `serverAddress` is the address that the constructor got.
   */
  serverBind(): void | Promise<void> {
    if (this.ssl !== null && bindPassable(this)) return;
    if (this.allowReuseAddress) {
      this.socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    }
    if (this.allowReusePort) {
      this.socket.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1);
    }
    const { socket, pathMode, replaceStalePath } = this;
    socket.bind(this.serverAddress, { pathMode, replaceStalePath });
    this.serverAddress = socket.getsockname();
  }

  /** Returns the number of the server's socket, for `select`; -1 if the socket is closed. */
  override fileno(): number {
    return this.socket.fileno();
  }
}

/** The settings of a server that its constructor uses. */
type Settings =
  & { socketType: number }
  & Required<
    Pick<
      ServerOptions,
      | "addressFamily"
      | "requestQueueSize"
      | "allowReuseAddress"
      | "allowReusePort"
      | "pathMode"
      | "replaceStalePath"
    >
  >;

/** Returns the settings of a server from its options and the static fields of its class. */
function settingsOf(server: object, options: ServerOptions): Settings {
  return {
    addressFamily: setting(server, options, "addressFamily"),
    socketType: (server.constructor as typeof SocketServer).socketType,
    requestQueueSize: setting(server, options, "requestQueueSize"),
    allowReuseAddress: setting(server, options, "allowReuseAddress"),
    allowReusePort: setting(server, options, "allowReusePort"),
    pathMode: setting(server, options, "pathMode"),
    replaceStalePath: setting(server, options, "replaceStalePath"),
  };
}
