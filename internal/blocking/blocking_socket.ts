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
  #timeout: Seconds = null;
  /** The seconds of the deadline, for errors; null is none. */
  #deadline: number | null = null;
  /** The time of the deadline on the clock of `performance.now()`. */
  #due: number | null = null;
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
   * Receives data.
   *
   * @param bufsize How many bytes at most.
   * @param flags `MSG_PEEK`, `MSG_WAITALL` and `MSG_DONTWAIT`, or-ed.
   * @returns The bytes; empty at the end of the stream.
   * @throws {TimeoutError} after the timeout; nothing is lost.
   * @throws {BlockingIOError} with timeout 0 or `MSG_DONTWAIT`, when nothing is there.
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
   * Receives into the caller's memory; on a stream there is no sender to tell.
   *
   * @param buffer Where to put the bytes.
   * @param nbytes How many at most; 0 fills the buffer.
   * @param flags As for {@linkcode BlockingSocket.recv}.
   * @returns How many bytes came, and null.
   */
  recvfromInto(
    buffer: BytesLike,
    nbytes = 0,
    flags = 0,
  ): [number, Address | null] {
    return [this.recvInto(buffer, nbytes, flags), null];
  }

  /**
   * Sends the data: all of it if no timeout and no deadline is set. With one, or with `MSG_DONTWAIT`, it may take the
   * start only.
   *
   * @param data The bytes.
   * @param flags `MSG_DONTWAIT`, or 0.
   * @returns How many bytes were taken.
   */
  send(data: BytesLike, flags = 0): number {
    this.#checkOpen("send");
    checkFlags(flags, C.MSG_DONTWAIT, "send");
    const bytes = toBytes(data, "send");
    const stream = this.#connected("send", "EDESTADDRREQ");
    return stream.send(bytes, this.#limit(flags));
  }

  /**
   * Sends all of the data.
   *
   * @param data The bytes.
   * @param flags `MSG_DONTWAIT`, or 0.
   * @throws {TimeoutError} after the timeout, which is for the whole call.
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
   * @param address Where to; the main thread looks up the name of a host.
   * @returns How many bytes were sent.
   */
  sendto(data: BytesLike, address: AddressLike): number;
  /**
   * Sends one datagram, with flags.
   *
   * @param data The bytes.
   * @param flags `MSG_DONTWAIT`, or 0.
   * @param address Where to.
   * @returns How many bytes were sent.
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
   * Gathers buffers and sends them as one.
   *
   * @param buffers The parts.
   * @param ancdata Must be empty: Deno passes no ancillary data.
   * @param flags `MSG_DONTWAIT`, or 0.
   * @param address Where to, for a datagram.
   * @returns How many bytes were taken.
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
   * Sends a part of a file. The timeout is for each chunk of it, not for the whole.
   *
   * @param file Its path, or an open file, which is left behind the last byte that was sent.
   * @param offset Where the part begins.
   * @param count How many bytes; to the end of the file where it is not given.
   * @returns How many bytes were sent.
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
    this.#timeout = seconds; // also when it is closed, as CPython
    this.#checkOpen("settimeout");
  }

  /**
   * Sets when waiting ends for all calls together: later ones throw a TimeoutError then, and the timeout of
   * each goes on as it is.
   *
   * @param seconds From now on; null is no deadline.
   */
  setdeadline(seconds: number | null): void {
    checkTimeout(seconds);
    this.#checkOpen("setdeadline");
    this.#deadline = seconds;
    this.#due = seconds === null ? null : performance.now() + seconds * 1000;
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
    this.#timeout = flag ? null : 0;
    this.#checkOpen("setblocking");
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
   * Makes a file over the socket, which stays open until the file is closed.
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
   * Ends one direction of the connection, or both.
   *
   * @param how `SHUT_RD`: no read waits any more, and after what has arrived each is empty.
   *   `SHUT_WR`: the peer sees the end. `SHUT_RDWR`: both.
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

  /** Closes the socket, when the files made of it are closed too. Closing twice is fine. */
  close(): void {
    this.#closeWanted = true;
    if (this.#files > 0 || this.#closed) return;
    this.#closed = true;
    this.#stream?.close();
  }

  /**
   * Closes the socket so that the peer gets all that was sent, though it may be sending still: it ends sending,
   * drops what comes until the peer closes, and then closes.
   *
   * @param seconds How long at most.
   * @param timeout How long to wait for more.
   */
  lingeringClose(seconds = 30, timeout = 5): void {
    lingeringCloseSync(this, seconds, timeout);
  }

  /**
   * Closes the socket at once, and the files made of it: calls of theirs end with EBADF. Aborting twice
   * is fine.
   */
  abort(): void {
    this.#files = 0;
    this.close();
  }

  /** Closes the socket, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
