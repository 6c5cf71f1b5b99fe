/**
 * The socket object: its methods and their documentation, which the page of the class shows in one place. Each method
 * makes one call of this room.
 *
 * @module
 */

import {
  type Address,
  type AddressLike,
  fromTransport,
} from "../base/address.ts";
import type { BytesLike } from "../base/arguments.ts";
import { AF_INET, SOCK_STREAM } from "../base/constants.ts";
import { throwAtCaller } from "../base/translate_error.ts";
import type { Bytes } from "../base/memory.ts";
import {
  type FileForMode,
  makefile,
  type MakefileOptions,
} from "../files/makefile.ts";
import { adoptDescriptor } from "../runtime/inherited/adopt_descriptor.ts";
import type { OptionValue } from "../runtime/transport/socket_options.ts";
import type {
  StreamTransport,
  Transport,
} from "../runtime/transport/transport.ts";
import type { PathOptions } from "../runtime/unix/unix_path.ts";
import type { AbortOptions } from "../waiting/abort.ts";
import { unawaited } from "../waiting/promises.ts";
import * as binding from "./binding.ts";
import * as closing from "./closing.ts";
import { connect, connectErrno } from "./connect.ts";
import { lingeringClose } from "./lingering_close.ts";
import type { MessageOptions } from "./message_options.ts";
import * as addresses from "./socket_addresses.ts";
import * as receiving from "./receive.ts";
import * as sending from "./send.ts";
import type { FileLike } from "./sendfile.ts";
import * as settings from "./settings.ts";
import { createSocketFile } from "./socket_makefile.ts";
import { SocketState } from "./state.ts";
import { readableOf, writableOf } from "./web_streams.ts";

/**
 * Returns the state of a socket: for `select`, servers and relays, which do more with a socket than its methods allow.
 */
export let stateOf: (socket: Socket) => SocketState;

/** Returns the socket for a connection that `listener` accepted, and the peer's address. */
export function accepted(
  listener: Socket,
  transport: StreamTransport,
): [Socket, Address] {
  const { options } = stateOf(listener);
  const socket = new Socket(listener.family, SOCK_STREAM, listener.proto);
  const state = stateOf(socket);
  if (options !== undefined) state.options = new Map(options);
  state.take(transport);
  return [socket, fromTransport(transport.remoteAddr)];
}

/**
 * Options of {@linkcode Socket.fromFd}.
 *
 * @category Options
 */
export interface FromFdOptions {
  /** The family that the socket must have: `AF_INET`, `AF_INET6` or `AF_UNIX`. */
  family?: number;
  /** The type that the socket must have: `SOCK_STREAM` or `SOCK_DGRAM`. */
  type?: number;
}

/**
 * A socket as in BSD and Python. Calls that wait return promises; all others act at once. A call that waits rejects with
 * a `TimeoutError` after the timeout of the socket, and with the reason of its `signal` when that aborts. Neither loses
 * anything: data that arrives later stays for the next call.
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
    family: number = AF_INET,
    type: number = SOCK_STREAM,
    proto = 0,
  ) {
    addresses.checkKind(family, type, proto);
    this.family = family;
    this.type = type;
    this.proto = proto;
    this.#state = new SocketState(family, type);
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
    const socket = new Socket(...addresses.kindOf(transport));
    socket.#state.take(transport);
    return socket;
  }

  /**
   * Adopts a descriptor that this process got from the one that started it: a TCP or Unix socket that listens or is
   * connected, or a UDP socket. Finds out which of them it is. Needs no permission. For sockets of a service manager,
   * {@linkcode inheritedSocket} finds the descriptors.
   *
   * The descriptor is closed, and the socket owns a copy of it that programs started later do not inherit. A listener
   * gets a backlog of 4096; closing it leaves the path of a Unix socket, and the socket open in other processes.
   *
   * `getsockname()` of a Unix socket returns "" without `--allow-all`, because only `/proc` tells the path.
   *
   * @param fd The number of the descriptor.
   * @param options The family and the type that the socket must have; any by default.
   * @returns The socket.
   * @throws {OSError} EBADF if the descriptor is not open, ENOTSOCK if it is not a socket, EBUSY if it was adopted
   *   before, EAFNOSUPPORT or EINVAL for another family or type, or a socket without an address, and EOPNOTSUPP for a
   *   kind that Deno cannot adopt, such as a Unix datagram socket.
   */
  static fromFd(fd: number, options: FromFdOptions = {}): Socket {
    return Socket.from(adoptDescriptor(fd, options));
  }

  /**
   * Binds to an address, at once: a taken port fails here, and port 0 becomes a real one.
   *
   * @param address `[host, port]`, or a path; `""` as host is every address of this machine.
   * @param options The mode of a Unix socket's path, and whether to replace a stale one.
   * @throws {OSError} EADDRINUSE, EADDRNOTAVAIL, EACCES and so on; EINVAL if the socket is bound already.
   * @throws {TypeError} if the address has the wrong shape, or an option is for a path and the address is none.
   * @throws {RangeError} if the port or the mode is out of range.
   */
  bind(address: AddressLike, options: PathOptions = {}): void {
    binding.bind(this.#state, address, options);
  }

  /**
   * Returns the local address: `[host, port]`, or a path.
   *
   * @returns The address; `["0.0.0.0", 0]`, `["::", 0]` or `""` for an unbound socket.
   */
  getsockname(): Address {
    return addresses.getsockname(this.#state);
  }

  /**
   * Returns the address of the peer.
   *
   * @returns The address; `""` for an unnamed Unix socket.
   * @throws {OSError} ENOTCONN if the socket is not connected.
   */
  getpeername(): Address {
    return addresses.getpeername(this.#state);
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
   * @param backlog The number of connections that may wait to be accepted; 511 by default, as in Deno. Another number
   *   opens the socket again, on the same port. Unix sockets ignore the number.
   * @throws {OSError} EINVAL on a connected socket, EOPNOTSUPP on a datagram socket.
   * @throws {RangeError} if the backlog is beyond a C `int`.
   */
  listen(backlog?: number): void {
    binding.listen(this.#state, backlog);
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
    const accepting = binding.accept(this.#state, options);
    return unawaited(accepting.then((transport) => accepted(this, transport)));
  }

  /**
   * Connects to an address. On a datagram socket, sets the peer of `send` and `recv`.
   *
   * @param address `[host, port]`, or a path.
   * @param options A signal that ends the wait.
   * @throws {OSError} ECONNREFUSED, EISCONN and so on.
   * @throws {TypeError} if the address has the wrong shape.
   * @throws {RangeError} if the port is out of range.
   * @throws {GaiError} if the host has no address in the socket's family.
   * @throws {BlockingIOError} EINPROGRESS with timeout 0. Wait with `select` until the socket is writable.
   * @throws {TimeoutError} after the timeout. The attempt ends, as after an abort.
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
    return unawaited(connectErrno(this.connect(address, options)));
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
    return receiving.recv(this.#state, bufsize, flags);
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
    return unawaited(receiving.recvfrom(this.#state, bufsize, flags));
  }

  /**
   * Receives into `buffer`. Without a timeout, reads directly into `buffer`. Such a read cannot be cancelled: if
   * `shutdown(SHUT_RD)`, or `close()` during a send, ends the call, the peer's next bytes are still written there.
   *
   * @param buffer The memory for the bytes.
   * @param nbytes The most bytes to receive; 0 fills the buffer.
   * @param flags As for {@linkcode Socket.recv}.
   * @returns The number of bytes received; 0 at the end of the stream.
   * @throws {RangeError} if `nbytes` is more than the buffer holds.
   */
  recvInto(
    buffer: BytesLike,
    nbytes = 0,
    flags: number | MessageOptions = 0,
  ): Promise<number> {
    return receiving.recvInto(this.#state, buffer, nbytes, flags);
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
    return unawaited(
      receiving.recvfromInto(this.#state, buffer, nbytes, flags),
    );
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
      return sending.send(this.#state, data, flags);
    } catch (error) {
      return sending.failedAtOnce(error, Socket.prototype.send);
    }
  }

  /**
   * Sends all of the data. Calls never interleave, awaited or not. A call that nobody awaits and that fails is no
   * unhandled rejection; later calls on a broken connection fail too.
   *
   * @param data The bytes. They must not change until the promise resolves.
   * @param flags `MSG_DONTWAIT`, or 0; or options with the flags and a signal that ends the wait.
   * @throws {OSError} EPIPE, ECONNRESET and so on.
   * @throws {TimeoutError} after the timeout of the whole call. The number of bytes sent is unknown, as in Python
   *   and after an abort.
   */
  sendall(data: BytesLike, flags: number | MessageOptions = 0): Promise<void> {
    try {
      return sending.sendall(this.#state, data, flags);
    } catch (error) {
      return sending.failedAtOnce(error, Socket.prototype.sendall);
    }
  }

  /**
   * Sends one datagram: `sendto(data, address)`, or with flags `sendto(data, flags, address)`.
   *
   * @param data The bytes.
   * @param to The address of the peer, whose host name is resolved in the socket's family. The flags, `MSG_DONTWAIT` or
   *   0, may come before the address, or options with the flags and a signal that ends the wait after it.
   * @returns The number of bytes sent.
   * @throws {OSError} EMSGSIZE for more bytes than a datagram holds, EISCONN on a connected stream.
   */
  sendto(
    data: BytesLike,
    ...to:
      | [address: AddressLike, options?: MessageOptions]
      | [flags: number, address: AddressLike]
  ): Promise<number>;
  sendto(
    data: BytesLike,
    first: number | AddressLike,
    second?: AddressLike | MessageOptions,
  ): Promise<number> {
    try {
      return typeof first === "number"
        ? sending.sendto(this.#state, data, first, second)
        : sending.sendto(
          this.#state,
          data,
          second as MessageOptions ?? 0,
          first,
        );
    } catch (error) {
      return sending.failedAtOnce(error, Socket.prototype.sendto);
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
    return unawaited(
      sending.sendmsg(this.#state, buffers, ancdata, flags, address),
    );
  }

  /**
   * Sends a file, with a small part of it in memory. The file goes out whole, awaited or not, before the data of later
   * calls.
   *
   * @param file A path, or an open file. The position of an open file ends behind the last byte that was sent.
   * @param offset The position in the file to begin at.
   * @param count The number of bytes; to the end of the file by default.
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
    return unawaited(
      sending.sendfile(this.#state, file, offset, count, options),
    );
  }

  /**
   * Sets the timeout of the calls that wait.
   *
   * @param seconds Seconds; 0 never waits, null waits without limit.
   * @throws {RangeError} if `seconds` is negative or not finite.
   * @throws {OSError} EBADF if the socket is closed.
   */
  settimeout(seconds: number | null): void {
    settings.settimeout(this.#state, seconds);
  }

  /**
   * Sets a deadline for all calls together, like `SetDeadline` in Go: a client that sends a byte now and then cannot
   * outlast it. A call that begins after this one throws a TimeoutError when the deadline passes. The timeout of each
   * call still holds.
   *
   * @param seconds Seconds from now on; null removes the deadline.
   * @throws {RangeError} if `seconds` is negative or not finite.
   * @throws {OSError} EBADF if the socket is closed.
   */
  setdeadline(seconds: number | null): void {
    settings.setdeadline(this.#state, seconds);
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
    settings.setblocking(this.#state, flag);
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
    settings.setsockopt(this.#state, level, name, value);
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
    const take = () => settings.takeFailure(this.#state);
    return settings.getsockopt(this.#state, level, name, take);
  }

  /**
   * Creates a file over the socket. The connection closes once the socket and all its files are closed.
   *
   * @param mode `"r"`, `"w"` or `"rw"` for text, with a `"b"` for bytes.
   * @param options Buffering, encoding and line ends, as for Python's `open`.
   * @returns A reader, a writer, or a pair of both.
   * @throws {TypeError} for another mode.
   * @throws {RangeError} if a size or limit is out of range, or the encoding is unknown.
   */
  makefile<M extends string = "r">(
    mode?: M,
    options?: MakefileOptions,
  ): FileForMode<M> {
    return createSocketFile(this.#state, this, mode, options, makefile);
  }

  /**
   * Returns the data of the connection as a stream of bytes, always the same stream. Each read of the stream receives as
   * {@linkcode Socket.recv} does, within the timeout of the socket; its error ends the stream. Without a read the stream
   * receives nothing. The end of the connection closes the stream, and not the socket. `cancel()` closes the socket, as
   * with a `Deno.Conn`. A `break` in `for await` cancels, unless you iterate over `values({ preventCancel: true })`.
   *
   * @throws {OSError} EOPNOTSUPP on a datagram socket.
   * @example
   * ```ts
   * import { strictEqual } from "node:assert/strict";
   * import { socketpair } from "@socketserver/socketserver";
   *
   * const [left, right] = await socketpair();
   * new Response("hello").body!.pipeTo(left.writable); // shuts `left` down for writing in the end
   * strictEqual(await new Response(right.readable).text(), "hello");
   * left.close();
   * right.close();
   * ```
   */
  get readable(): ReadableStream<Bytes> {
    return readableOf(this);
  }

  /**
   * Returns a stream that sends all that is written to it, always the same stream. Each write waits as
   * {@linkcode Socket.sendall} does, within the timeout of the socket; its error ends the stream. `close()` shuts the
   * connection down for writing, and `abort()` aborts the socket.
   *
   * @throws {OSError} EOPNOTSUPP on a datagram socket.
   */
  get writable(): WritableStream<Uint8Array> {
    return writableOf(this);
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
    return unawaited(closing.shutdown(this.#state, how, options));
  }

  /**
   * Returns the transport to the caller, who closes it. The socket counts as closed.
   *
   * @returns A `Deno.Conn`, `Deno.Listener` or `Deno.DatagramConn`, or the transport given to {@linkcode Socket.from}.
   * @throws {OSError} EBUSY if data, or a read in flight, would be lost; ENOTCONN if the socket is not open yet.
   */
  detach(): Transport {
    this.#state.checkOpen("detach");
    return closing.detach(this.#state);
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
   * listener.accept().catch(() => {}); // only to begin an accept
   * listener.close();
   * await listener.waitClosed();
   * createServer(address).close();
   * ```
   */
  waitClosed(options: AbortOptions = {}): Promise<void> {
    return closing.waitClosed(this.#state, options);
  }

  /** Returns number, kind and addresses, for a log: `<Socket fd=3, family=2, type=1, proto=0, laddr=127.0.0.1:80>`. */
  toString(): string {
    return addresses.describe(this.#state, this.fileno(), this.proto);
  }

  /**
   * Closes the socket so that a peer that is still sending gets all bytes that were sent. A close with unread data is a
   * reset, which may destroy an answer on its way. This method ends sending, drops data until the peer closes, and then
   * closes the socket. The limits are those of nginx, lingering_time and lingering_timeout.
   *
   * @param seconds The seconds that the whole close may take; 30 by default.
   * @param timeout The seconds to wait for more data; 5 by default.
   * @param options A signal that closes the socket at once.
   */
  lingeringClose(
    seconds = 30,
    timeout = 5,
    options: AbortOptions = {},
  ): Promise<void> {
    return unawaited(lingeringClose(this, seconds, timeout, options));
  }

  /**
   * Closes the socket and its files at once. Bytes that were not sent yet are dropped, and all calls that wait, of its
   * files too, end with EBADF. Over TCP, the peer sees a reset (ECONNRESET), so it does not mistake a part of the data
   * for the whole. If a send is in flight, or the stream has been ended before, there is no reset. Aborting twice is
   * fine.
   */
  abort(): void {
    this.#state.close(true);
  }

  static {
    // deno-fmt-ignore
    throwAtCaller(this.prototype, [
      "bind", "detach", "getpeername", "getsockname", "getsockopt", "listen", "makefile", "setblocking", "setdeadline",
      "setsockopt", "settimeout",
    ]);
  }

  /** Closes the socket, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
