/**
 * The socket of a handler that blocks.
 *
 * @module
 */

import {
  type Address,
  type AddressLike,
  checkAddress,
  familyOf,
  fromTransport,
} from "../_socket/address.ts";
import {
  type BytesLike,
  checkDirection,
  checkFlags,
  checkSize,
  checkTimeout,
  toBytes,
} from "../_socket/check.ts";
import * as C from "../_socket/constants.ts";
import { osError } from "../_socket/errors.ts";
import { datagramTarget } from "../_socket/open.ts";
import { getOption, type OptionValue, setOption } from "../_socket/options.ts";
import type { Bytes } from "../_socket/read_buffer.ts";
import {
  type BlockingFiles,
  blockingMakefile,
  type BlockingMakefileOptions,
} from "./blocking_files.ts";
import { type BlockingDatagram, BlockingStream } from "./blocking_io.ts";

const FLAGS = C.MSG_PEEK | C.MSG_WAITALL | C.MSG_DONTWAIT;

/**
 * The socket of a handler that says `static readonly blocking = true`: the methods of `Socket`, but they block
 * the worker and return values, where those of `Socket` return promises. The server makes it, and owns it.
 */
export class BlockingSocket implements Disposable {
  /** `AF_INET`, `AF_INET6` or `AF_UNIX`. */
  readonly family: number;
  /** `SOCK_STREAM` or `SOCK_DGRAM`. */
  readonly type: number;
  /** The protocol number: 0, the usual one of the type. */
  readonly proto: number = 0;
  readonly #stream: BlockingStream | undefined;
  readonly #datagram: BlockingDatagram | undefined;
  readonly #options = new Map<never, number>();
  #timeout: number | null = null;
  #closed = false;
  #closeWanted = false;
  #files = 0;

  /**
   * Makes a socket over what the server has opened.
   *
   * @param io What it stands on.
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

  #connected(syscall: string): BlockingStream {
    this.#checkOpen(syscall);
    if (this.#stream !== undefined) return this.#stream;
    const reason = "each datagram is a request of its own";
    throw osError("EOPNOTSUPP", { syscall, reason });
  }

  #limit(flags: number): number | null {
    return (flags & C.MSG_DONTWAIT) !== 0 ? 0 : this.#timeout;
  }

  /**
   * Receives data.
   *
   * @param bufsize How many bytes at most.
   * @param flags `MSG_PEEK`, `MSG_WAITALL` and `MSG_DONTWAIT`, or-ed.
   * @returns The bytes; empty at the end of the stream.
   * @throws {TimeoutError} after the timeout; nothing is lost.
   * @throws {BlockingIOError} with timeout 0 or `MSG_DONTWAIT`, when nothing is there.
   */
  recv(bufsize: number, flags = 0): Bytes {
    const stream = this.#connected("recv");
    checkSize(bufsize, "recv");
    checkFlags(flags, FLAGS, "recv");
    if (bufsize === 0) return new Uint8Array(0);
    const limit = this.#limit(flags);
    if (flags & C.MSG_PEEK) return stream.peek(bufsize, limit);
    if (flags & C.MSG_WAITALL && limit !== 0) {
      return this.#recvAll(stream, bufsize);
    }
    const target = new Uint8Array(Math.min(bufsize, stream.wait(limit)));
    stream.recv(target, limit); // at the end of the stream too, where it may throw
    return target;
  }

  #recvAll(stream: BlockingStream, size: number): Bytes {
    const target = new Uint8Array(size);
    let count = 0;
    try {
      while (count < size) {
        const more = stream.recv(target.subarray(count), this.#timeout);
        if (more === 0) return target.slice(0, count);
        count += more;
      }
    } catch (error) {
      stream.putBack(target.subarray(0, count));
      throw error;
    }
    return target;
  }

  /**
   * Receives data; on a stream there is no sender to tell.
   *
   * @param bufsize How many bytes at most.
   * @param flags As for {@linkcode BlockingSocket.recv}.
   * @returns The bytes, and null.
   */
  recvfrom(bufsize: number, flags = 0): [Bytes, Address | null] {
    return [this.recv(bufsize, flags), null];
  }

  /**
   * Receives into the caller's memory.
   *
   * @param buffer Where to put the bytes.
   * @param nbytes How many at most; 0 fills the buffer.
   * @param flags As for {@linkcode BlockingSocket.recv}.
   * @returns How many bytes came; 0 at the end of the stream.
   */
  recvInto(buffer: BytesLike, nbytes = 0, flags = 0): number {
    const whole = toBytes(buffer, "recv");
    checkSize(nbytes, "recv", "nbytes");
    if (nbytes > whole.length) {
      throw new RangeError(
        `Cannot recv: nbytes is ${nbytes}, the buffer holds ${whole.length}`,
      );
    }
    const data = this.recv(nbytes || whole.length, flags);
    whole.set(data);
    return data.length;
  }

  /**
   * Sends the start of the data, as much as there is room for.
   *
   * @param data The bytes.
   * @param flags `MSG_DONTWAIT`, or 0.
   * @returns How many bytes were taken.
   */
  send(data: BytesLike, flags = 0): number {
    const stream = this.#connected("send");
    checkFlags(flags, C.MSG_DONTWAIT, "send");
    return stream.send(toBytes(data, "send"), this.#limit(flags));
  }

  /**
   * Sends all of the data.
   *
   * @param data The bytes.
   * @param flags `MSG_DONTWAIT`, or 0.
   * @throws {TimeoutError} after the timeout, which is for the whole call.
   */
  sendall(data: BytesLike, flags = 0): void {
    const stream = this.#connected("sendall");
    checkFlags(flags, C.MSG_DONTWAIT, "sendall");
    const limit = this.#limit(flags);
    const due = limit && performance.now() + limit * 1000;
    let rest = toBytes(data, "sendall");
    while (rest.length > 0) {
      const left = due && Math.max(due - performance.now(), 1) / 1000;
      rest = rest.subarray(stream.send(rest, left));
    }
  }

  /**
   * Sends one datagram.
   *
   * @param data The bytes.
   * @param address Where to; an IP address, since a blocked thread cannot look up names.
   * @returns How many bytes were sent.
   */
  sendto(data: BytesLike, address: AddressLike): number {
    this.#checkOpen("sendto");
    const bytes = toBytes(data, "sendto");
    const checked = checkAddress(this.family, address, "sendto");
    if (this.#datagram === undefined) {
      throw osError("EISCONN", { syscall: "sendto" });
    }
    const target = datagramTarget(this.family, checked);
    if (target instanceof Promise) {
      target.catch(() => {});
      const reason = "a blocking socket sends to IP addresses only";
      throw osError("EOPNOTSUPP", { syscall: "sendto", reason });
    }
    return this.#datagram.send(bytes, target, this.#timeout);
  }

  /** The own address. */
  getsockname(): Address {
    this.#checkOpen("getsockname");
    return fromTransport(this.#stream?.localAddr ?? this.#datagram!.addr);
  }

  /**
   * The address of the peer.
   *
   * @returns The address; `""` for an unnamed Unix socket.
   * @throws {OSError} ENOTCONN when there is no peer.
   */
  getpeername(): Address {
    this.#checkOpen("getpeername");
    if (this.#stream === undefined) {
      throw osError("ENOTCONN", { syscall: "getpeername" });
    }
    return fromTransport(this.#stream.remoteAddr);
  }

  /**
   * Sets the timeout of the calls that block.
   *
   * @param seconds Seconds, 0 for not blocking at all, or null for no limit.
   */
  settimeout(seconds: number | null): void {
    checkTimeout(seconds);
    this.#checkOpen("settimeout");
    this.#timeout = seconds;
  }

  /** The timeout in seconds; null is none. */
  gettimeout(): number | null {
    return this.#timeout;
  }

  /**
   * `setblocking(false)` is `settimeout(0)`, and `setblocking(true)` is `settimeout(null)`.
   *
   * @param flag Whether calls block.
   */
  setblocking(flag: boolean): void {
    this.#checkOpen("setblocking");
    this.#timeout = flag ? null : 0;
  }

  /** Whether calls block: false only with timeout 0. */
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
   * Sets an option of a connection.
   *
   * @param level `SOL_SOCKET` or `IPPROTO_TCP`.
   * @param name An option of that level, such as `TCP_NODELAY`.
   * @param value Its value.
   */
  setsockopt(level: number, name: number, value: OptionValue): void {
    this.#checkOpen("setsockopt");
    setOption(this.#target(), level, name, value);
  }

  /**
   * Reads an option that was set, or the type.
   *
   * @param level `SOL_SOCKET` or `IPPROTO_TCP`.
   * @param name An option of that level, such as `SO_TYPE`.
   * @returns Its value.
   */
  getsockopt(level: number, name: number): number {
    this.#checkOpen("getsockopt");
    if (level === C.SOL_SOCKET && name === C.SO_TYPE) return this.type;
    if (level === C.SOL_SOCKET && name === C.SO_ERROR) return 0;
    return getOption(this.#target(), level, name);
  }

  /**
   * Makes a file over the socket.
   *
   * @param mode `"rb"`, `"wb"` or `"rwb"`: bytes only.
   * @param options Buffering.
   * @returns A reader, a writer, or both in one.
   */
  makefile<M extends keyof BlockingFiles>(
    mode: M,
    options: BlockingMakefileOptions = {},
  ): BlockingFiles[M] {
    this.#connected("makefile");
    const onClose = () => {
      this.#files--;
      if (this.#closeWanted) this.close();
    };
    const file = blockingMakefile(this, mode, { ...options, onClose });
    this.#files++;
    return file;
  }

  /**
   * Ends one direction of the connection, or both.
   *
   * @param how `SHUT_RD`, `SHUT_WR` or `SHUT_RDWR`.
   */
  shutdown(how: number): void {
    const stream = this.#connected("shutdown");
    checkDirection(how);
    if (how !== C.SHUT_WR) stream.endRead();
    if (how !== C.SHUT_RD) stream.endWrite();
  }

  /** Closes the socket, when the files made of it are closed too. Closing twice is fine. */
  close(): void {
    this.#closeWanted = true;
    if (this.#files > 0 || this.#closed) return;
    this.#closed = true;
    this.#stream?.close();
  }

  /** Closes the socket, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
