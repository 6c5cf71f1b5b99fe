/**
 * The base of the servers over a socket.
 *
 * @module
 */

import type { AddressLike } from "../base/address.ts";
import { checkSize } from "../base/arguments.ts";
import {
  AF_INET,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_STREAM,
  SOL_SOCKET,
} from "../base/constants.ts";
import { Socket } from "../socket/socket_object.ts";
import { BaseServer } from "./base_server.ts";
import { noteBound } from "./forgotten.ts";
import { checkHandlerKind, getsUsualRequests } from "./handler_kinds.ts";
import { type ServerOptions, setting } from "./server_options.ts";
import type { RequestHandlerConstructor } from "./stages.ts";

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
      noteBound(this);
    } catch (error) {
      this.socket.close();
      throw error;
    }
  }

  /** Refuses handlers of connections for datagrams, and the reverse, unless an override of `getRequest` may suit them. */
  #checkHandlers(): void {
    const { constructor, getRequest, RequestHandlerClass } = this;
    if (!getsUsualRequests.has(getRequest)) return;
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
