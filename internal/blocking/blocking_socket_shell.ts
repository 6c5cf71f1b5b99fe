/**
 * The socket of a blocking handler: checks each call, and passes it to the connection or the datagram socket.
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
  checkSendfile,
  checkSize,
  checkTimeout,
  gather,
  toBytes,
} from "../base/arguments.ts";
import * as C from "../base/constants.ts";
import { osError } from "../base/translate_error.ts";
import {
  getOption,
  type OptionValue,
  setOption,
} from "../runtime/socket_options.ts";
import {
  type AbortOptions,
  checkAborted,
  checkSignal,
} from "../waiting/abort.ts";
import type { Bytes } from "../base/memory.ts";
import { typeName } from "../files/file_arguments.ts";
import type { MakefileOptions } from "../files/makefile.ts";
import type { BlockingDatagram } from "./blocking_datagram.ts";
import {
  type BlockingFileForMode,
  blockingMakefile,
} from "./blocking_makefile.ts";
import { type BlockingFileLike, sendFileSync } from "./blocking_sendfile.ts";
import {
  checkMessageOptions,
  type MessageOptions,
} from "../socket/message_options.ts";
import { lingeringCloseSync } from "../socket/lingering_close.ts";
import { checkTarget } from "../socket/receive.ts";
import type { BlockingSocket } from "./blocking_socket.ts";
import { BlockingStream } from "./blocking_stream.ts";
import { Deadline, type Seconds } from "./deadline.ts";

const FLAGS = C.MSG_PEEK | C.MSG_WAITALL | C.MSG_DONTWAIT;

/** The calls of a socket that would not block. */
export interface BlockingReadiness {
  readonly readable: boolean;
  readonly writable: boolean;
}

/** A reader over a socket, which may hold bytes that nobody has read. */
interface UnreadReader {
  readonly closed: boolean;
  readonly unread: boolean;
}

/** A socket of datagrams in `selectSync`: each datagram is a request of its own, and a send is never put off. */
const DATAGRAM_READINESS: BlockingReadiness = {
  readable: false,
  writable: true,
};

/** Set by the class. */
let readiness: (socket: BlockingSocketShell) => BlockingReadiness | undefined;

/** Returns the calls of a socket that would not block; undefined if the socket is closed. */
export function readinessOf(
  socket: BlockingSocket,
): BlockingReadiness | undefined {
  if (socket instanceof BlockingSocketShell) return readiness(socket);
  throw new TypeError(
    `Cannot select: the lists must hold BlockingSockets, got ${
      typeName(socket)
    }`,
  );
}

/** Reports whether a file over a socket has bytes or text that nobody has read. Set by the class. */
export let hasUnread: (socket: BlockingSocketShell) => boolean;

/**
 * Blocks until a socket has bytes, or until `over`. Returns whether it has bytes, and not the end of the stream; undefined
 * if it is over. Set by the class.
 */
export let waitReadable: (
  socket: BlockingSocketShell,
  over: () => boolean,
) => boolean | undefined;

/** Reads and writes for a {@linkcode BlockingSocket} through the main thread. */
export class BlockingSocketShell implements BlockingSocket {
  readonly family: number;
  readonly type: number;
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
  /** The readers over the socket. */
  #readers: UnreadReader[] = [];

  static {
    readiness = (socket) =>
      socket.#closed ? undefined : socket.#stream ?? DATAGRAM_READINESS;
    hasUnread = (socket) => socket.#readers.some(({ unread }) => unread);
    waitReadable = (socket, over) =>
      socket.#reading().waitReadable(socket.#limit(), over);
  }

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
  #limit(signal?: AbortSignal, bits = 0): Deadline {
    if (bits & C.MSG_DONTWAIT || this.#timeout === 0) {
      return new Deadline("now", signal);
    }
    if (this.#due === null) return new Deadline(this.#timeout, signal);
    const left = Math.max(0, this.#due - performance.now()) / 1000;
    return this.#timeout === null || left < this.#timeout
      ? new Deadline(left, signal, this.#deadline!)
      : new Deadline(this.#timeout, signal);
  }

  /** Checks a call that sends, and returns its time limit. */
  #sendLimit(flags: number | MessageOptions, syscall: string): Deadline {
    this.#checkOpen(syscall);
    const { bits, signal } = checkMessageOptions(
      flags,
      C.MSG_DONTWAIT,
      syscall,
    );
    return this.#limit(signal, bits);
  }

  recv(bufsize: number, flags: number | MessageOptions = 0): Bytes {
    this.#checkOpen("recv");
    checkSize(bufsize, "recv");
    const { bits, signal } = checkMessageOptions(flags, FLAGS, "recv");
    const stream = this.#reading();
    const limit = this.#limit(signal, bits);
    if (bufsize === 0) return new Uint8Array(0);
    if (bits & C.MSG_PEEK) return stream.peek(bufsize, limit);
    if (bits & C.MSG_WAITALL) return stream.recvAll(bufsize, limit);
    return stream.recv(bufsize, limit);
  }

  recvfrom(
    bufsize: number,
    flags: number | MessageOptions = 0,
  ): [Bytes, Address | null] {
    return [this.recv(bufsize, flags), null];
  }

  recvInto(
    buffer: BytesLike,
    nbytes = 0,
    flags: number | MessageOptions = 0,
  ): number {
    const target = checkTarget(buffer, nbytes);
    const stream = this.#reading();
    if (flags === 0 && target.length > 0) {
      return stream.recvInto(target, this.#limit());
    }
    const data = this.recv(target.length, flags);
    target.set(data);
    return data.length;
  }

  recvfromInto(
    buffer: BytesLike,
    nbytes = 0,
    flags: number | MessageOptions = 0,
  ): [number, Address | null] {
    return [this.recvInto(buffer, nbytes, flags), null];
  }

  send(data: BytesLike, flags: number | MessageOptions = 0): number {
    const limit = this.#sendLimit(flags, "send");
    const bytes = toBytes(data, "send");
    const stream = this.#connected("send", "EDESTADDRREQ");
    return stream.send(bytes, limit);
  }

  sendall(data: BytesLike, flags: number | MessageOptions = 0): void {
    const limit = this.#sendLimit(flags, "sendall");
    const bytes = toBytes(data, "sendall");
    const stream = this.#connected("send", "EDESTADDRREQ");
    stream.sendall(bytes, limit, "sendall");
  }

  sendto(
    data: BytesLike,
    first: number | AddressLike,
    second?: AddressLike | MessageOptions,
  ): number {
    return typeof first === "number"
      ? this.#sendto(data, first, second)
      : this.#sendto(data, second as MessageOptions ?? 0, first);
  }

  #sendto(
    data: BytesLike,
    flags: number | MessageOptions,
    address: unknown,
  ): number {
    const limit = this.#sendLimit(flags, "sendto");
    const bytes = toBytes(data, "sendto");
    const checked = checkAddress(this.family, address, "sendto");
    if (this.#datagram === undefined) {
      const known = { syscall: "sendto", address: formatAddress(checked) };
      throw osError("EISCONN", known);
    }
    return this.#datagram.send(bytes, checked, limit);
  }

  sendmsg(
    buffers: Iterable<BytesLike>,
    ancdata: Iterable<unknown> = [],
    flags: number | MessageOptions = 0,
    address?: AddressLike | null,
  ): number {
    const data = gather(buffers, ancdata);
    return address === undefined || address === null
      ? this.send(data, flags)
      : this.#sendto(data, flags, address);
  }

  sendfile(
    file: BlockingFileLike,
    offset = 0,
    count?: number,
    { signal }: AbortOptions = {},
  ): number {
    this.#checkOpen("sendfile");
    checkSignal(signal, "sendfile");
    checkSendfile({ type: this.type, timeout: this.#timeout }, offset, count);
    const stream = this.#stream!;
    const write = (data: Uint8Array) =>
      stream.sendall(data, this.#limit(signal));
    return sendFileSync(file, offset, count ?? Infinity, write);
  }

  getsockname(): Address {
    this.#checkOpen("getsockname");
    return fromTransport(this.#stream?.localAddr ?? this.#datagram!.addr);
  }

  getpeername(): Address {
    this.#checkOpen("getpeername");
    if (this.#stream === undefined) {
      throw osError("ENOTCONN", { syscall: "getpeername" });
    }
    return fromTransport(this.#stream.remoteAddr);
  }

  settimeout(seconds: number | null): void {
    checkTimeout(seconds);
    this.#timeout = seconds; // also when it is closed, as CPython
    this.#checkOpen("settimeout");
  }

  setdeadline(seconds: number | null): void {
    checkTimeout(seconds);
    this.#checkOpen("setdeadline");
    this.#deadline = seconds;
    this.#due = seconds === null ? null : performance.now() + seconds * 1000;
  }

  gettimeout(): number | null {
    return this.#timeout;
  }

  setblocking(flag: boolean): void {
    this.#timeout = flag ? null : 0;
    this.#checkOpen("setblocking");
  }

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

  setsockopt(level: number, name: number, value: OptionValue): void {
    this.#checkOpen("setsockopt");
    setOption(this.#target(), level, name, value);
  }

  getsockopt(level: number, name: number): number {
    this.#checkOpen("getsockopt");
    if (level === C.SOL_SOCKET && name === C.SO_TYPE) return this.type;
    if (level === C.SOL_SOCKET && name === C.SO_ERROR) return 0;
    return getOption(this.#target(), level, name);
  }

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
      onReader: (reader) => this.#keepReader(reader as UnreadReader),
    });
    this.#files++;
    return file;
  }

  #keepReader(reader: UnreadReader): void {
    this.#readers = this.#readers.filter(({ closed }) => !closed);
    this.#readers.push(reader);
  }

  shutdown(how: number, { signal }: AbortOptions = {}): void {
    checkSignal(signal, "shutdown");
    this.#checkOpen("shutdown");
    checkAborted(signal);
    checkDirection(how);
    const stream = this.#connected(
      "shutdown",
      "ENOTCONN",
      "the socket is not connected",
    );
    if (how !== C.SHUT_WR) stream.endRead();
    if (how !== C.SHUT_RD) stream.endWrite();
  }

  close(): void {
    this.#closeWanted = true;
    if (this.#files > 0 || this.#closed) return;
    this.#closed = true;
    this.#stream?.close();
  }

  lingeringClose(seconds = 30, timeout = 5, options: AbortOptions = {}): void {
    lingeringCloseSync(this, seconds, timeout, options);
  }

  abort(): void {
    this.#files = 0;
    if (this.#closed) return;
    this.#closed = true;
    this.#stream?.abort();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
