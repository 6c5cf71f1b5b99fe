/**
 * The socket of a blocking handler.
 *
 * @module
 */

import {
  type Address,
  type AddressLike,
  checkAddress,
  familyOf,
  formatAddress,
  fromTransport,
} from "../base/address.ts";
import {
  type BytesLike,
  checkDirection,
  checkFlags,
  checkSendfile,
  checkSize,
  checkTimeout,
  gather,
  toBytes,
} from "../base/arguments.ts";
import * as C from "../base/constants.ts";
import { osError, translate } from "../base/errors.ts";
import {
  getOption,
  type OptionValue,
  setOption,
} from "../runtime/socket_options.ts";
import type { Bytes } from "../base/memory.ts";
import type { MakefileOptions } from "../files/makefile.ts";
import type { BlockingDatagram } from "./blocking_datagram.ts";
import {
  type BlockingFileForMode,
  blockingMakefile,
} from "./blocking_makefile.ts";
import { lingeringCloseSync } from "./blocking_linger.ts";
import { type BlockingFileLike, sendFileSync } from "./blocking_sendfile.ts";
import { BlockingStream } from "./blocking_stream.ts";
import { Deadline, type Seconds } from "./deadline.ts";

const FLAGS = C.MSG_PEEK | C.MSG_WAITALL | C.MSG_DONTWAIT;

/**
 * The socket of a blocking handler, a class with `static readonly blocking = true`. It has the methods of `Socket`, but
 * they block the worker and return values instead of promises. The server creates it and closes it.
 *
 * @category Sockets
 */
export class BlockingSocket implements Disposable {
  /** `AF_INET`, `AF_INET6` or `AF_UNIX`. */
  readonly family: number;
  /** `SOCK_STREAM` or `SOCK_DGRAM`. */
  readonly type: number;
  /** The protocol number: always 0, the default of the type. */
  readonly proto: number = 0;
  readonly #stream: BlockingStream | undefined;
  readonly #datagram: BlockingDatagram | undefined;
  readonly #options = new Map<never, number>();
  #timeout: Seconds = null;
  /** The seconds of the deadline, for errors; null is none. */
  #deadline: number | null = null;
  /** The time of the deadline on the clock of `performance.now()`. */
  #due: number | null = null;
  #closed = false;
  #closeWanted = false;
  #files = 0;

  /**
   * Creates a socket over a connection or a datagram socket of the server.
   *
   * @param io The connection or the datagram socket.
   */
  constructor(io: BlockingStream | BlockingDatagram) {
    if (io instanceof BlockingStream) this.#stream = io;
    else this.#datagram = io;
    this.family = familyOf("addr" in io ? io.addr : io.localAddr);
    this.type = this.#stream ? C.SOCK_STREAM : C.SOCK_DGRAM;
  }

  #checkOpen(syscall: string): void {
    if (this.#closed) {
      throw osError("EBADF", { syscall, reason: "the socket is closed" });
    }
  }

  /** Returns the stream. Throws an OSError for a datagram socket. */
  #connected(
    syscall: string,
    code: "EDESTADDRREQ" | "ENOTCONN" | "EOPNOTSUPP",
    reason?: string,
  ): BlockingStream {
    this.#checkOpen(syscall);
    if (this.#stream !== undefined) return this.#stream;
    throw osError(code, { syscall, reason });
  }

  #reading(): BlockingStream {
    const reason = "in a worker each datagram is a request of its own";
    return this.#connected("recv", "EOPNOTSUPP", reason);
  }

  /** Returns the time limit of a call that begins now. */
  #limit(flags = 0): Deadline {
    if (flags & C.MSG_DONTWAIT || this.#timeout === 0) {
      return new Deadline("now");
    }
    if (this.#due === null) return new Deadline(this.#timeout);
    const left = Math.max(0, this.#due - performance.now()) / 1000;
    return this.#timeout === null || left < this.#timeout
      ? new Deadline(left, this.#deadline!)
      : new Deadline(this.#timeout);
  }

  /**
   * Receives data, and blocks until some has come.
   *
   * @param bufsize The most bytes to return.
   * @param flags `MSG_PEEK`, `MSG_WAITALL` and `MSG_DONTWAIT`, or-ed.
   * @returns The bytes; empty at the end of the stream.
   * @throws {TimeoutError} after the timeout; no bytes are lost.
   * @throws {BlockingIOError} with timeout 0 or `MSG_DONTWAIT`, if no bytes have come.
   */
  recv(bufsize: number, flags = 0): Bytes {
    this.#checkOpen("recv");
    checkSize(bufsize, "recv");
    checkFlags(flags, FLAGS, "recv");
    const stream = this.#reading();
    if (bufsize === 0) return new Uint8Array(0);
    const limit = this.#limit(flags);
    if (flags & C.MSG_PEEK) return stream.peek(bufsize, limit);
    if (flags & C.MSG_WAITALL) return stream.recvAll(bufsize, limit);
    return stream.recv(bufsize, limit);
  }

  /**
   * Receives data. A stream has no sender address to return.
   *
   * @param bufsize The most bytes to return.
   * @param flags As for {@linkcode BlockingSocket.recv}.
   * @returns The bytes, and null.
   */
  recvfrom(bufsize: number, flags = 0): [Bytes, Address | null] {
    return [this.recv(bufsize, flags), null];
  }

  /**
   * Receives data into a buffer.
   *
   * @param buffer Receives the bytes.
   * @param nbytes The most bytes to receive; 0 is the length of the buffer.
   * @param flags As for {@linkcode BlockingSocket.recv}.
   * @returns The count of bytes received; 0 at the end of the stream.
   */
  recvInto(buffer: BytesLike, nbytes = 0, flags = 0): number {
    const whole = toBytes(buffer, "recv");
    checkSize(nbytes, "recv", "nbytes");
    if (nbytes > whole.length) {
      throw new RangeError(
        `Cannot recv: nbytes is ${nbytes}, the buffer holds ${whole.length}`,
      );
    }
    const stream = this.#reading();
    if (flags === 0 && whole.length > 0) {
      const target = nbytes === 0 ? whole : whole.subarray(0, nbytes);
      return stream.recvInto(target, this.#limit());
    }
    const data = this.recv(nbytes || whole.length, flags);
    whole.set(data);
    return data.length;
  }

  /**
   * Receives data into a buffer. A stream has no sender address to return.
   *
   * @param buffer Receives the bytes.
   * @param nbytes The most bytes to receive; 0 is the length of the buffer.
   * @param flags As for {@linkcode BlockingSocket.recv}.
   * @returns The count of bytes received, and null.
   */
  recvfromInto(
    buffer: BytesLike,
    nbytes = 0,
    flags = 0,
  ): [number, Address | null] {
    return [this.recvInto(buffer, nbytes, flags), null];
  }

  /**
   * Sends data: all of it if neither a timeout nor a deadline is set. With one of these, or with `MSG_DONTWAIT`, it may
   * send only the start.
   *
   * @param data The bytes.
   * @param flags `MSG_DONTWAIT`, or 0.
   * @returns The count of bytes sent.
   */
  send(data: BytesLike, flags = 0): number {
    this.#checkOpen("send");
    checkFlags(flags, C.MSG_DONTWAIT, "send");
    const bytes = toBytes(data, "send");
    const stream = this.#connected("send", "EDESTADDRREQ");
    return stream.send(bytes, this.#limit(flags));
  }

  /**
   * Sends all of `data`.
   *
   * @param data The bytes.
   * @param flags `MSG_DONTWAIT`, or 0.
   * @throws {TimeoutError} after the timeout, which limits the whole call.
   */
  sendall(data: BytesLike, flags = 0): void {
    this.#checkOpen("sendall");
    checkFlags(flags, C.MSG_DONTWAIT, "sendall");
    const bytes = toBytes(data, "sendall");
    const stream = this.#connected("send", "EDESTADDRREQ");
    stream.sendall(bytes, this.#limit(flags), "sendall");
  }

  /**
   * Sends one datagram.
   *
   * @param data The bytes.
   * @param address The destination. The main thread looks up the name of a host.
   * @returns The count of bytes sent.
   */
  sendto(data: BytesLike, address: AddressLike): number;
  /**
   * Sends one datagram, with flags.
   *
   * @param data The bytes.
   * @param flags `MSG_DONTWAIT`, or 0.
   * @param address The destination.
   * @returns The count of bytes sent.
   */
  sendto(data: BytesLike, flags: number, address: AddressLike): number;
  sendto(
    data: BytesLike,
    flagsOrAddress: number | AddressLike,
    address?: AddressLike,
  ): number {
    return typeof flagsOrAddress === "number"
      ? this.#sendto(data, flagsOrAddress, address)
      : this.#sendto(data, 0, flagsOrAddress);
  }

  #sendto(data: BytesLike, flags: number, address: unknown): number {
    this.#checkOpen("sendto");
    checkFlags(flags, C.MSG_DONTWAIT, "sendto");
    const bytes = toBytes(data, "sendto");
    const checked = checkAddress(this.family, address, "sendto");
    if (this.#datagram === undefined) {
      const known = { syscall: "sendto", address: formatAddress(checked) };
      throw osError("EISCONN", known);
    }
    return this.#datagram.send(bytes, checked, this.#limit(flags));
  }

  /**
   * Joins buffers and sends them as one.
   *
   * @param buffers The buffers.
   * @param ancdata Must be empty: Deno passes no ancillary data.
   * @param flags `MSG_DONTWAIT`, or 0.
   * @param address The destination of a datagram.
   * @returns The count of bytes sent.
   */
  sendmsg(
    buffers: Iterable<BytesLike>,
    ancdata: Iterable<unknown> = [],
    flags = 0,
    address?: AddressLike | null,
  ): number {
    const data = gather(buffers, ancdata);
    return address === undefined || address === null
      ? this.send(data, flags)
      : this.#sendto(data, flags, address);
  }

  /**
   * Sends a part of a file. The timeout limits each chunk, not the whole call.
   *
   * @param file The path of the file, or an open file. An open file is left behind the last byte sent.
   * @param offset The position of the first byte to send.
   * @param count The count of bytes; without it, to the end of the file.
   * @returns The count of bytes sent.
   */
  sendfile(file: BlockingFileLike, offset = 0, count?: number): number {
    this.#checkOpen("sendfile");
    checkSendfile({ type: this.type, timeout: this.#timeout }, offset, count);
    const stream = this.#stream!;
    try {
      return sendFileSync(
        file,
        offset,
        count ?? Infinity,
        (data) => stream.sendall(data, this.#limit()),
      );
    } catch (error) {
      const path = typeof file === "string" || file instanceof URL;
      const address = path ? String(file) : undefined;
      throw translate(error, { syscall: "sendfile", address });
    }
  }

  /** Returns the address of this side. */
  getsockname(): Address {
    this.#checkOpen("getsockname");
    return fromTransport(this.#stream?.localAddr ?? this.#datagram!.addr);
  }

  /**
   * Returns the address of the peer.
   *
   * @returns The address; `""` for an unnamed Unix socket.
   * @throws {OSError} ENOTCONN if the socket has no peer.
   */
  getpeername(): Address {
    this.#checkOpen("getpeername");
    if (this.#stream === undefined) {
      throw osError("ENOTCONN", { syscall: "getpeername" });
    }
    return fromTransport(this.#stream.remoteAddr);
  }

  /**
   * Sets the timeout of blocking calls.
   *
   * @param seconds The timeout in seconds; 0 never blocks, null has no limit.
   */
  settimeout(seconds: number | null): void {
    checkTimeout(seconds);
    this.#timeout = seconds; // also when it is closed, as CPython
    this.#checkOpen("settimeout");
  }

  /**
   * Sets a deadline for all calls together. After it, calls that would block throw a TimeoutError. The timeout of each
   * call still applies.
   *
   * @param seconds The seconds from now; null removes the deadline.
   */
  setdeadline(seconds: number | null): void {
    checkTimeout(seconds);
    this.#checkOpen("setdeadline");
    this.#deadline = seconds;
    this.#due = seconds === null ? null : performance.now() + seconds * 1000;
  }

  /** Returns the timeout in seconds; null is no limit. */
  gettimeout(): number | null {
    return this.#timeout;
  }

  /**
   * Sets whether calls block: `setblocking(false)` is `settimeout(0)`, and `setblocking(true)` is `settimeout(null)`.
   *
   * @param flag Whether calls block.
   */
  setblocking(flag: boolean): void {
    this.#timeout = flag ? null : 0;
    this.#checkOpen("setblocking");
  }

  /** Reports whether calls block: false only with timeout 0. */
  getblocking(): boolean {
    return this.#timeout !== 0;
  }

  #target(): Parameters<typeof setOption>[0] {
    return {
      type: this.type,
      values: this.#options,
      stream: this.#stream?.options,
      open: true,
    };
  }

  /**
   * Sets a socket option.
   *
   * @param level `SOL_SOCKET` or `IPPROTO_TCP`.
   * @param name An option of that level, such as `TCP_NODELAY`.
   * @param value The value.
   */
  setsockopt(level: number, name: number, value: OptionValue): void {
    this.#checkOpen("setsockopt");
    setOption(this.#target(), level, name, value);
  }

  /**
   * Returns the value of a socket option that was set, or the type.
   *
   * @param level `SOL_SOCKET` or `IPPROTO_TCP`.
   * @param name An option of that level, such as `SO_TYPE`.
   * @returns The value.
   */
  getsockopt(level: number, name: number): number {
    this.#checkOpen("getsockopt");
    if (level === C.SOL_SOCKET && name === C.SO_TYPE) return this.type;
    if (level === C.SOL_SOCKET && name === C.SO_ERROR) return 0;
    return getOption(this.#target(), level, name);
  }

  /**
   * Returns a file over the socket. The socket stays open until the file is closed.
   *
   * @typeParam M The mode.
   * @param mode `"r"` and `"w"` in any combination, and `"b"` for bytes.
   * @param options Buffering, encoding and line ends.
   * @returns The file.
   */
  makefile<M extends string = "r">(
    mode?: M,
    options: MakefileOptions = {},
  ): BlockingFileForMode<M> {
    this.#checkOpen("makefile");
    const onClose = () => {
      if (this.#closed) return;
      this.#files--;
      if (this.#closeWanted) this.close();
    };
    const file = blockingMakefile(this, (mode ?? "r") as M, {
      ...options,
      onClose,
    });
    this.#files++;
    return file;
  }

  /**
   * Shuts down one direction of the connection, or both.
   *
   * @param how `SHUT_RD`: the stream ends after the bytes that have arrived. `SHUT_WR`: the peer sees the end of the
   *   stream. `SHUT_RDWR`: both.
   */
  shutdown(how: number): void {
    this.#checkOpen("shutdown");
    checkDirection(how);
    const stream = this.#connected(
      "shutdown",
      "ENOTCONN",
      "the socket is not connected",
    );
    if (how !== C.SHUT_WR) stream.endRead();
    if (how !== C.SHUT_RD) stream.endWrite();
  }

  /** Closes the socket once all files made of it are closed. Closing twice is fine. */
  close(): void {
    this.#closeWanted = true;
    if (this.#files > 0 || this.#closed) return;
    this.#closed = true;
    this.#stream?.close();
  }

  /**
   * Closes the socket so that the peer gets all bytes sent, even while it is still sending. Shuts down writing, drops
   * received bytes until the peer closes, and then closes.
   *
   * @param seconds The most seconds for the whole call.
   * @param timeout The most seconds to wait for more bytes.
   */
  lingeringClose(seconds = 30, timeout = 5): void {
    lingeringCloseSync(this, seconds, timeout);
  }

  /**
   * Closes the socket and the files made of it at once. Bytes that were not sent yet are dropped, and later calls of the
   * files throw EBADF. Aborting twice is fine.
   */
  abort(): void {
    this.#files = 0;
    if (this.#closed) return;
    this.#closed = true;
    this.#stream?.abort();
  }

  /** Closes the socket at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
