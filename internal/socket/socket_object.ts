/**
 * The socket object: Python's methods over the state of a socket.
 *
 * @module
 */

import {
  type Address,
  type AddressLike,
  checkAddress,
  familyOf,
  fromTransport,
} from "../base/address.ts";
import {
  type BytesLike,
  checkBacklog,
  checkDirection,
  checkPathOptions,
  checkTimeout,
} from "../base/arguments.ts";
import * as C from "../base/constants.ts";
import { connect, takeConnectError } from "./connect.ts";
import { type AbortOptions, checkSignal, endOf } from "../waiting/abort.ts";
import type { MessageOptions } from "./message_options.ts";
import { failLater } from "../waiting/timeouts.ts";
import { SocketState } from "./state.ts";
import { errnoOf } from "../base/errno.ts";
import {
  atCaller,
  GaiError,
  OSError,
  osError,
  throwAtCaller,
  TimeoutError,
} from "../base/errors.ts";
import {
  getOption,
  type OptionValue,
  setOption,
} from "../runtime/socket_options.ts";
import { lingeringClose } from "./lingering_close.ts";
import { send, sendall, sendfile, sendmsg, sendto } from "./send.ts";
import { unawaited } from "../waiting/promises.ts";
import type { Bytes } from "../base/memory.ts";
import { recv, recvfrom, recvfromInto } from "./receive.ts";
import type { Listener } from "./listener.ts";
import type { FileLike } from "./sendfile.ts";
import {
  checkTransport,
  type StreamTransport,
  type Transport,
  typeOf,
} from "../runtime/transport.ts";
import type { PathOptions } from "../runtime/unix_path.ts";
import {
  type FileForMode,
  makefile,
  type MakefileOptions,
} from "../files/makefile.ts";

let defaultTimeout: number | null = null;

/**
 * Returns the timeout of new sockets, in seconds; null is no timeout.
 *
 * @category Sockets
 */
export function getdefaulttimeout(): number | null {
  return defaultTimeout;
}

/**
 * Sets the timeout of new sockets.
 *
 * @param timeout Seconds; 0 never waits, null waits without limit.
 * @throws {RangeError} if the timeout is negative or not finite.
 * @category Sockets
 */
export function setdefaulttimeout(timeout: number | null): void {
  checkTimeout(timeout);
  defaultTimeout = timeout;
}

/**
 * Returns the state of a socket: for `select`, servers and relays, which do more with a socket than its methods allow.
 */
export let stateOf: (socket: Socket) => SocketState;

/**
 * Accepts without a promise.
 *
 * @returns The connection and the peer's address; undefined if no connection waits.
 * @category Sockets
 */
export function acceptNow(socket: Socket): [Socket, Address] | undefined {
  const { listener, listening } = stateOf(socket);
  if (!listening || !listener?.pending.ready) return undefined;
  return accepted(socket, listener.take());
}

/** Returns the socket for a connection that `listener` accepted, and the peer's address. */
function accepted(
  listener: Socket,
  transport: StreamTransport,
): [Socket, Address] {
  const { options } = stateOf(listener);
  const socket = new Socket(listener.family, C.SOCK_STREAM, listener.proto);
  const state = stateOf(socket);
  if (options !== undefined) state.options = new Map(options);
  state.take(transport);
  return [socket, fromTransport(transport.remoteAddr)];
}

/**
 * Ends the stream of a request in a limited time, or calls an override of `shutdown`.
 *
 * @category Sockets
 */
export function endRequest(socket: Socket): Promise<void> {
  return socket.shutdown === Socket.prototype.shutdown
    ? stateOf(socket).endRequest()
    : socket.shutdown(C.SHUT_WR);
}

/**
 * Sends a datagram as `sendto` does, but with a timeout of its own if one is given.
 *
 * @category Sockets
 */
export function sendtoWithin(
  socket: Socket,
  data: Uint8Array,
  address: AddressLike,
  timeout?: number,
): Promise<number> {
  return timeout === undefined || socket.sendto !== Socket.prototype.sendto
    ? socket.sendto(data, address)
    : sendto(stateOf(socket), data, 0, address, timeout);
}

/**
 * A socket as in BSD and Python. Calls that wait return promises; all others act at once. A timeout loses nothing: data
 * that arrives later stays for the next call.
 *
 * The socket owns its transport. Close it with {@linkcode Socket.close}, or with `using`.
 *
 * @category Sockets
 * @example Ask a server
 * ```ts
 * import { strictEqual } from "node:assert/strict";
 * import { createServer, Socket } from "@socketserver/socketserver";
 *
 * using listener = createServer(["127.0.0.1", 0]);
 * using client = new Socket();
 * await client.connect(listener.getsockname());
 * const [server] = await listener.accept();
 * await client.sendall(new TextEncoder().encode("hello"));
 * strictEqual(new TextDecoder().decode(await server.recv(1024)), "hello");
 * server.close();
 * ```
 */
export class Socket implements Disposable {
  /** `AF_INET`, `AF_INET6` or `AF_UNIX`. */
  readonly family: number;
  /** `SOCK_STREAM` or `SOCK_DGRAM`. */
  readonly type: number;
  /** The protocol number; 0 is the usual one of the type. */
  readonly proto: number;

  readonly #state: SocketState;

  /**
   * Creates a socket. Nothing is opened before `bind` or `connect`.
   *
   * @param family `AF_INET`, `AF_INET6` or `AF_UNIX`.
   * @param type `SOCK_STREAM` or `SOCK_DGRAM`.
   * @param proto 0, or the protocol of the type: `IPPROTO_TCP` or `IPPROTO_UDP`.
   * @throws {OSError} EAFNOSUPPORT or EPROTONOSUPPORT for other values.
   */
  constructor(
    family: number = C.AF_INET,
    type: number = C.SOCK_STREAM,
    proto = 0,
  ) {
    if (family !== C.AF_INET && family !== C.AF_INET6 && family !== C.AF_UNIX) {
      throw osError("EAFNOSUPPORT", {
        syscall: `make a socket of family ${family}`,
      });
    }
    const usual = type === C.SOCK_STREAM ? C.IPPROTO_TCP : C.IPPROTO_UDP;
    if (
      type !== C.SOCK_STREAM && type !== C.SOCK_DGRAM ||
      proto !== 0 && proto !== usual
    ) {
      throw osError("EPROTONOSUPPORT", {
        syscall: `make a socket of type ${type} and protocol ${proto}`,
      });
    }
    this.family = family;
    this.type = type;
    this.proto = proto;
    this.#state = new SocketState(family, type, defaultTimeout);
  }

  static {
    stateOf = (socket) => socket.#state;
  }

  /**
   * Creates a socket over an open connection, listener or datagram socket, which the socket owns from then on.
   *
   * @param transport The transport, such as a `Deno.TlsConn`.
   * @returns The socket.
   * @throws {TypeError} if `transport` is none of these.
   */
  static from(transport: Transport): Socket {
    checkTransport(transport);
    const addr = "localAddr" in transport
      ? transport.localAddr
      : transport.addr;
    const socket = new Socket(familyOf(addr), typeOf(transport));
    socket.#state.take(transport);
    return socket;
  }

  /**
   * Binds to an address, at once: a taken port fails here, and port 0 becomes a real one.
   *
   * @param address `[host, port]`, or a path; `""` as host is every address of this machine.
   * @param options The mode of a Unix socket's path, and whether to replace a stale one.
   * @throws {OSError} EADDRINUSE, EADDRNOTAVAIL, EACCES and so on; EINVAL when it is bound already.
   * @throws {TypeError} when the address has the wrong shape, or an option is for a path and the address is none.
   * @throws {RangeError} when the port, or the mode, is not one.
   */
  bind(address: AddressLike, options: PathOptions = {}): void {
    this.#state.checkOpen("bind");
    const checked = checkAddress(this.family, address, "bind");
    checkPathOptions(checked, options);
    if (
      this.#state.endpoint !== undefined ||
      this.#state.localAddress !== undefined
    ) {
      throw osError("EINVAL", {
        syscall: "bind",
        reason: "the socket has an address already",
      });
    }
    this.#state.pathOptions = options;
    this.#state.bind(checked);
  }

  /**
   * Returns the local address: `[host, port]`, or a path.
   *
   * @returns The address; `["0.0.0.0", 0]`, `["::", 0]` or `""` for an unbound socket.
   */
  getsockname(): Address {
    this.#state.checkOpen("getsockname");
    return this.#state.getsockname();
  }

  /**
   * Returns the address of the peer.
   *
   * @returns The address; `""` for an unnamed Unix socket.
   * @throws {OSError} ENOTCONN if the socket is not connected.
   */
  getpeername(): Address {
    this.#state.checkOpen("getpeername");
    const addr = this.#state.stream?.transport.remoteAddr ??
      this.#state.datagram?.peer;
    if (addr === undefined) {
      throw osError("ENOTCONN", { syscall: "getpeername" });
    }
    return fromTransport(addr);
  }

  /**
   * Returns the number of the socket, unique while it is open. It is not a descriptor of the system.
   *
   * @returns A small positive number; -1 if the socket is closed.
   */
  fileno(): number {
    return this.#state.fileno(this);
  }

  /**
   * Starts to listen for connections. The system chooses the port of an unbound socket.
   *
   * @param backlog How many connections may wait to be accepted; 511 by default, as in Deno. Another number opens the
   *   socket again, on the same port. Unix sockets ignore it.
   * @throws {OSError} EINVAL on a connected socket, EOPNOTSUPP on a datagram socket.
   * @throws {RangeError} if the backlog is beyond a C `int`.
   */
  listen(backlog?: number): void {
    this.#state.checkOpen("listen");
    if (this.type !== C.SOCK_STREAM) {
      throw osError("EOPNOTSUPP", { syscall: "listen" });
    }
    if (this.#state.stream ?? this.#state.attempt) {
      throw osError("EINVAL", { syscall: "listen" });
    }
    if (backlog !== undefined) checkBacklog(backlog);
    this.#state.listen(backlog);
  }

  /**
   * Accepts the next connection.
   *
   * @param options A signal that ends the wait.
   * @returns A new socket for the connection, and the address of the peer.
   * @throws {OSError} EINVAL if the socket does not listen; or the error of the system.
   * @throws {TimeoutError} after the timeout. A connection that arrives later waits for the next call.
   */
  accept(options: AbortOptions = {}): Promise<[Socket, Address]> {
    return unawaited(this.#accept(options));
  }

  async #accept({ signal }: AbortOptions): Promise<[Socket, Address]> {
    try {
      checkSignal(signal, "accept");
      const listener = this.#listener();
      const limit = this.#state.limit("accept", undefined, signal);
      const transport = await listener.accept(limit);
      return accepted(this, transport);
    } catch (error) {
      return await failLater(error);
    }
  }

  /** Returns the listener, or throws the error of `accept`. */
  #listener(): Listener {
    this.#state.checkOpen("accept");
    if (this.type !== C.SOCK_STREAM) {
      throw osError("EOPNOTSUPP", { syscall: "accept" });
    }
    const { listener, listening } = this.#state;
    if (listener !== undefined && listening) return listener;
    throw osError("EINVAL", {
      syscall: "accept",
      reason: "the socket does not listen",
    });
  }

  /**
   * Connects to an address. On a datagram socket, sets the peer of `send` and `recv`.
   *
   * @param address `[host, port]`, or a path.
   * @param options A signal that ends the wait.
   * @throws {OSError} ECONNREFUSED, EISCONN and so on.
   * @throws {GaiError} if the host has no address in the socket's family.
   * @throws {BlockingIOError} EINPROGRESS with timeout 0. Wait with `select` until the socket is writable.
   * @throws {TimeoutError} after the timeout. The attempt is given up, as after an abort.
   */
  connect(address: AddressLike, options: AbortOptions = {}): Promise<void> {
    return unawaited(connect(this.#state, address, options));
  }

  /**
   * Connects as {@linkcode Socket.connect} does, and returns the error number instead of throwing.
   *
   * @param address `[host, port]`, or a path.
   * @param options A signal that ends the wait.
   * @returns 0, or the errno of this system; EAGAIN after the timeout, as in Python.
   * @throws {GaiError} if the host has no address in the socket's family.
   */
  connectEx(address: AddressLike, options: AbortOptions = {}): Promise<number> {
    return unawaited(this.#connectEx(address, options));
  }

  async #connectEx(
    address: AddressLike,
    options: AbortOptions,
  ): Promise<number> {
    try {
      await this.connect(address, options);
      return 0;
    } catch (error) {
      if (!(error instanceof OSError) || error instanceof GaiError) throw error;
      if (error instanceof TimeoutError && error.cause === undefined) {
        return errnoOf("EAGAIN");
      }
      if (error.errno === undefined) throw error;
      return error.errno;
    }
  }

  /**
   * Receives data.
   *
   * @param bufsize The most bytes to receive.
   * @param flags `MSG_PEEK`, `MSG_WAITALL` and `MSG_DONTWAIT`, or-ed; or options with the flags and a signal that ends
   *   the wait.
   * @returns The bytes, which belong to the caller; empty at the end of the stream. They are a view of a larger `buffer`,
   *   which may hold more bytes of this peer: pass `byteOffset` to a `DataView`, and `slice()` the bytes before you use
   *   or transfer the whole `buffer`.
   * @throws {OSError} ENOTCONN, ECONNRESET, EBADF and so on.
   * @throws {TimeoutError} after the timeout. Nothing is lost.
   * @throws {BlockingIOError} with timeout 0 or `MSG_DONTWAIT`, if no data is there.
   */
  recv(bufsize: number, flags: number | MessageOptions = 0): Promise<Bytes> {
    const { stream } = this.#state;
    if (
      stream !== undefined && flags === 0 && Number.isInteger(bufsize) &&
      bufsize > 0
    ) {
      return stream.recv(bufsize, this.#state.limit("recv"));
    }
    return unawaited(recv(this.#state, bufsize, flags));
  }

  /**
   * Receives data and the address of the sender.
   *
   * @param bufsize The most bytes to receive. The rest of a longer datagram is dropped.
   * @param flags As for {@linkcode Socket.recv}.
   * @returns The bytes, as from {@linkcode Socket.recv}, and the address of the sender: null on a stream and for an
   *   unnamed Unix socket.
   */
  recvfrom(
    bufsize: number,
    flags: number | MessageOptions = 0,
  ): Promise<[Bytes, Address | null]> {
    return unawaited(recvfrom(this.#state, bufsize, flags));
  }

  /**
   * Receives into `buffer`. Without a timeout, reads directly into `buffer`. Such a read cannot be cancelled: if
   * `shutdown(SHUT_RD)`, or `close()` during a send, ends the call, the peer's next bytes are still written there.
   *
   * @param buffer The memory for the bytes.
   * @param nbytes The most bytes to receive; 0 fills the buffer.
   * @param flags As for {@linkcode Socket.recv}.
   * @returns The number of bytes received; 0 at the end of the stream.
   */
  recvInto(
    buffer: BytesLike,
    nbytes = 0,
    flags: number | MessageOptions = 0,
  ): Promise<number> {
    const { stream } = this.#state;
    if (
      stream !== undefined && nbytes === 0 && flags === 0 &&
      buffer instanceof Uint8Array
    ) {
      if (buffer.length > 0) {
        return stream.recvInto(buffer, this.#state.limit("recv"));
      }
    }
    const received = recvfromInto(this.#state, buffer, nbytes, flags);
    return unawaited(received.then(([count]) => count));
  }

  /**
   * Receives into `buffer`, and returns the address of the sender too.
   *
   * @param buffer The memory for the bytes.
   * @param nbytes The most bytes to receive; 0 fills the buffer.
   * @param flags As for {@linkcode Socket.recv}.
   * @returns The number of bytes received, and the address of the sender as from {@linkcode Socket.recvfrom}.
   * @throws {RangeError} if `nbytes` is more than the buffer holds.
   */
  recvfromInto(
    buffer: BytesLike,
    nbytes = 0,
    flags: number | MessageOptions = 0,
  ): Promise<[number, Address | null]> {
    return unawaited(recvfromInto(this.#state, buffer, nbytes, flags));
  }

  /**
   * Sends data. Without a timeout sends all of it, as {@linkcode Socket.sendall} does; with a timeout, or with
   * `MSG_DONTWAIT`, sends as much as the system takes without waiting for the rest. On a datagram socket, sends one
   * datagram.
   *
   * @param data The bytes. They must not change until the promise resolves.
   * @param flags `MSG_DONTWAIT`, or 0; or options with the flags and a signal that ends the wait.
   * @returns The number of bytes taken.
   * @throws {OSError} EPIPE if the socket is not connected; EDESTADDRREQ for UDP without a peer.
   * @throws {TimeoutError} after the timeout. No byte of the call was taken.
   */
  send(data: BytesLike, flags: number | MessageOptions = 0): Promise<number> {
    try {
      return send(this.#state, data, flags);
    } catch (error) {
      return unawaited(failLater(atCaller(error, Socket.prototype.send)));
    }
  }

  /**
   * Sends all of the data. Calls never interleave, awaited or not. If a call fails that nobody awaits, the next call
   * throws.
   *
   * @param data The bytes. They must not change until the promise resolves.
   * @param flags `MSG_DONTWAIT`, or 0; or options with the flags and a signal that ends the wait.
   * @throws {OSError} EPIPE, ECONNRESET and so on.
   * @throws {TimeoutError} after the timeout, which is for the whole call. How much was sent is unknown, as in Python.
   */
  sendall(data: BytesLike, flags: number | MessageOptions = 0): Promise<void> {
    try {
      return sendall(this.#state, data, flags);
    } catch (error) {
      return unawaited(failLater(atCaller(error, Socket.prototype.sendall)));
    }
  }

  /**
   * Sends one datagram.
   *
   * @param data The bytes.
   * @param address The peer. A host name is resolved in the socket's family.
   * @param options The flags, and a signal that ends the wait.
   * @returns The number of bytes sent.
   * @throws {OSError} EMSGSIZE for more bytes than a datagram holds, EISCONN on a connected stream.
   */
  sendto(
    data: BytesLike,
    address: AddressLike,
    options?: MessageOptions,
  ): Promise<number>;
  /**
   * Sends one datagram, with flags.
   *
   * @param data The bytes.
   * @param flags `MSG_DONTWAIT`, or 0; or options with the flags and a signal that ends the wait.
   * @param address The peer.
   * @returns The number of bytes sent.
   */
  sendto(data: BytesLike, flags: number, address: AddressLike): Promise<number>;
  sendto(
    data: BytesLike,
    flagsOrAddress: number | AddressLike,
    addressOrOptions?: AddressLike | MessageOptions,
  ): Promise<number> {
    try {
      return typeof flagsOrAddress === "number"
        ? sendto(this.#state, data, flagsOrAddress, addressOrOptions)
        : sendto(
          this.#state,
          data,
          addressOrOptions as MessageOptions ?? 0,
          flagsOrAddress,
        );
    } catch (error) {
      return unawaited(failLater(atCaller(error, Socket.prototype.sendto)));
    }
  }

  /**
   * Sends several buffers as one, as {@linkcode Socket.send} or {@linkcode Socket.sendto} does.
   *
   * @param buffers The buffers.
   * @param ancdata Must be empty: Deno passes no ancillary data.
   * @param flags `MSG_DONTWAIT`, or 0; or options with the flags and a signal that ends the wait.
   * @param address The peer, for datagrams.
   * @returns The number of bytes taken.
   * @throws {OSError} EOPNOTSUPP for ancillary data.
   */
  sendmsg(
    buffers: Iterable<BytesLike>,
    ancdata: Iterable<unknown> = [],
    flags: number | MessageOptions = 0,
    address?: AddressLike | null,
  ): Promise<number> {
    return unawaited(sendmsg(this.#state, buffers, ancdata, flags, address));
  }

  /**
   * Sends a file, with a small part of it in memory. The file goes out whole, awaited or not, before the data of later
   * calls.
   *
   * @param file A path, or an open file. The position of an open file ends behind the last byte that was sent.
   * @param offset Where in the file to begin.
   * @param count How many bytes; to the end of the file by default.
   * @param options A signal that ends the wait.
   * @returns The number of bytes sent.
   * @throws {TypeError} on a datagram socket, or with timeout 0.
   */
  sendfile(
    file: FileLike,
    offset = 0,
    count?: number,
    options: AbortOptions = {},
  ): Promise<number> {
    return unawaited(sendfile(this.#state, file, offset, count, options));
  }

  /**
   * Sets the timeout of the calls that wait.
   *
   * @param seconds Seconds; 0 never waits, null waits without limit.
   * @throws {RangeError} if `seconds` is negative or not finite.
   * @throws {OSError} EBADF if the socket is closed.
   */
  settimeout(seconds: number | null): void {
    checkTimeout(seconds);
    this.#state.timeout = seconds; // also when it is closed, as CPython
    this.#state.checkOpen("settimeout");
  }

  /**
   * Sets a deadline for all calls together, as `SetDeadline` of Go: for a client that must finish a request within a
   * time. A call that begins after this one throws a TimeoutError when the deadline passes. The timeout of each call
   * still holds.
   *
   * @param seconds Seconds from now on; null removes the deadline.
   * @throws {RangeError} if `seconds` is negative or not finite.
   * @throws {OSError} EBADF if the socket is closed.
   */
  setdeadline(seconds: number | null): void {
    checkTimeout(seconds);
    this.#state.checkOpen("setdeadline");
    this.#state.deadline = seconds === null
      ? undefined
      : { seconds, due: performance.now() + seconds * 1000 };
  }

  /** Returns the timeout in seconds; null is no timeout. */
  gettimeout(): number | null {
    return this.#state.timeout;
  }

  /**
   * Sets the timeout to 0 or null: `setblocking(false)` is `settimeout(0)`, and `setblocking(true)` is `settimeout(null)`.
   *
   * @param flag Whether calls wait.
   */
  setblocking(flag: boolean): void {
    this.#state.timeout = flag ? null : 0;
    this.#state.checkOpen("setblocking");
  }

  /** Reports whether calls wait: false only with timeout 0. */
  getblocking(): boolean {
    return this.#state.timeout !== 0;
  }

  /**
   * Sets an option.
   *
   * @param level `SOL_SOCKET`, `IPPROTO_TCP` or `IPPROTO_IP`.
   * @param name An option of that level, such as `TCP_NODELAY`.
   * @param value Its value.
   * @throws {OSError} ENOPROTOOPT if Deno cannot set the option.
   * @throws {RangeError} if the value is out of the option's range.
   */
  setsockopt(level: number, name: number, value: OptionValue): void {
    this.#state.checkOpen("setsockopt");
    setOption(this.#state.target(), level, name, value);
  }

  /**
   * Returns the value of an option.
   *
   * @param level `SOL_SOCKET`, `IPPROTO_TCP` or `IPPROTO_IP`.
   * @param name An option of that level, such as `SO_TYPE`.
   * @returns The value. Reading `SO_ERROR` clears it.
   * @throws {OSError} ENOPROTOOPT if Deno cannot read the option.
   */
  getsockopt(level: number, name: number): number {
    this.#state.checkOpen("getsockopt");
    if (level === C.SOL_SOCKET && name === C.SO_TYPE) return this.type;
    if (level === C.SOL_SOCKET && name === C.SO_ACCEPTCONN) {
      return Number(this.#state.listening);
    }
    if (level === C.SOL_SOCKET && name === C.SO_ERROR) return this.#takeError();
    return getOption(this.#state.target(), level, name);
  }

  #takeError(): number {
    const error = takeConnectError(this.#state) ??
      this.#state.stream?.sendQueue.takeFailure();
    if (error === undefined) return 0;
    return (error instanceof OSError ? error.errno : undefined) ??
      errnoOf("EIO");
  }

  /**
   * Creates a file over the socket. The connection closes once the socket and all its files are closed.
   *
   * @param mode `"r"`, `"w"` or `"rw"` for text, with a `"b"` for bytes.
   * @param options Buffering, encoding and line ends, as for Python's `open`.
   * @returns A reader, a writer, or a pair of both.
   * @throws {TypeError} for another mode.
   */
  makefile<M extends string = "r">(
    mode?: M,
    options?: MakefileOptions,
  ): FileForMode<M> {
    this.#state.checkOpen("makefile");
    const file = makefile(this, (mode ?? "r") as M, {
      ...options,
      onClose: () => this.#state.closeFile(),
      onHold: (holder) => this.#state.stream?.hold(holder),
    });
    this.#state.files++;
    return file;
  }

  /**
   * Shuts down one direction of a connection, or both.
   *
   * @param how `SHUT_RD`: reads no longer wait, and return nothing after the bytes that have arrived. `SHUT_WR`: the peer
   *   sees the end of the stream after all bytes that were sent. `SHUT_RDWR`: both.
   * @param options A signal that ends the wait.
   * @throws {OSError} ENOTCONN if the socket is not connected.
   * @throws {TimeoutError} if bytes that were sent before do not leave within the timeout.
   */
  shutdown(how: number, options: AbortOptions = {}): Promise<void> {
    return unawaited(this.#shutdown(how, options));
  }

  async #shutdown(how: number, { signal }: AbortOptions): Promise<void> {
    try {
      checkSignal(signal, "shutdown");
      this.#state.checkOpen("shutdown");
      checkDirection(how);
      const stream = this.#state.connected("shutdown", "ENOTCONN");
      const limit = this.#state.limit("shutdown", undefined, signal);
      if (how !== C.SHUT_WR) stream.receiveBuffer.stop();
      if (how !== C.SHUT_RD) await stream.endWrite(limit);
    } catch (error) {
      return await failLater(error);
    }
  }

  /**
   * Returns the transport to the caller, who closes it. The socket counts as closed.
   *
   * @returns A `Deno.Conn`, `Deno.Listener` or `Deno.DatagramConn`, or the transport given to {@linkcode Socket.from}.
   * @throws {OSError} EBUSY if data, or a read in flight, would be lost; ENOTCONN if the socket is not open yet.
   */
  detach(): Transport {
    this.#state.checkOpen("detach");
    return this.#state.detach();
  }

  /**
   * Closes the socket once its files are closed too. Calls that wait end with EBADF. Bytes that were sent before still
   * go out. Closing twice is fine.
   */
  close(): void {
    this.#state.closeWanted = true;
    if (this.#state.files === 0) this.#state.close(false);
  }

  /**
   * Waits until the socket is closed and the system has released it: accepted bytes are sent, and the address can be
   * bound again. A listener whose `accept` was waiting holds its address for one turn of the event loop after `close()`.
   *
   * @param options A signal that ends the wait.
   * @returns Resolves at once for a socket that was closed with nothing in flight.
   *
   * @example
   * ```ts
   * import { createServer } from "@socketserver/socketserver";
   *
   * const listener = createServer(["127.0.0.1", 0]);
   * const address = listener.getsockname();
   * listener.accept().catch(() => {}); // in vain
   * listener.close();
   * await listener.waitClosed();
   * createServer(address).close();
   * ```
   */
  waitClosed({ signal }: AbortOptions = {}): Promise<void> {
    const released = this.#state.whenReleased();
    if (signal === undefined) return released;
    return unawaited(endOf(released, signal, "waitClosed"));
  }

  /** Returns number, kind and addresses, for a log: `<Socket fd=3, family=2, type=1, proto=0, laddr=127.0.0.1:80>`. */
  toString(): string {
    return this.#state.describe(this.fileno(), this.proto);
  }

  /**
   * Closes the socket so that a peer that is still sending gets all bytes that were sent. A close with unread data is a
   * reset, which may destroy an answer on its way. So this ends sending, drops data until the peer closes, and then
   * closes. The limits are those of nginx, lingering_time and lingering_timeout.
   *
   * @param seconds How long it may take altogether.
   * @param timeout How long to wait for more data.
   */
  lingeringClose(seconds = 30, timeout = 5): Promise<void> {
    return unawaited(lingeringClose(this, seconds, timeout));
  }

  /**
   * Closes the socket and its files at once. Bytes that were not sent yet are dropped, and all calls that wait, of its
   * files too, end with EBADF. Cuts a peer off. Aborting twice is fine.
   */
  abort(): void {
    this.#state.close(true);
  }

  static {
    throwAtCaller(this.prototype, [
      "bind",
      "detach",
      "getpeername",
      "getsockname",
      "getsockopt",
      "listen",
      "makefile",
      "setblocking",
      "setdeadline",
      "setsockopt",
      "settimeout",
    ]);
  }

  /** Closes the socket, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
