/**
 * The socket of a blocking handler: checks each call, and passes it to the connection or the datagram socket.
 *
 * @module
 */

import {
  type Address,
  type AddressLike,
  checkAddress,
  formatAddress,
  fromTransport,
} from "../base/address.ts";
import {
  type BytesLike,
  checkDirection,
  checkSendfile,
  checkSize,
  gather,
  toBytes,
} from "../base/arguments.ts";
import * as C from "../base/constants.ts";
import { osError } from "../base/translate_error.ts";
import type { OptionValue } from "../runtime/transport/socket_options.ts";
import {
  type AbortOptions,
  checkAborted,
  checkSignal,
} from "../waiting/abort.ts";
import type { Bytes } from "../base/memory.ts";
import type { MakefileOptions } from "../files/makefile.ts";
import {
  checkMessageOptions,
  type MessageOptions,
} from "../socket/message_options.ts";
import { lingeringCloseSync } from "../socket/lingering_close.ts";
import { checkTarget } from "../socket/receive.ts";
import * as settings from "../socket/settings.ts";
import { createSocketFile } from "../socket/socket_makefile.ts";
import { blockingMakefile } from "./blocking_makefile.ts";
import { type BlockingFileLike, passFileSync } from "./blocking_sendfile.ts";
import type { BlockingSocket } from "./blocking_socket.ts";
import { BlockingState } from "./blocking_state.ts";
import type {
  BlockingDatagram,
  BlockingStream,
} from "./blocking_transports.ts";
import type { BlockingFileForMode } from "./blocking_types.ts";
import type { Deadline } from "./deadline.ts";

const FLAGS = C.MSG_PEEK | C.MSG_WAITALL | C.MSG_DONTWAIT;

/** Returns the state of a socket. Set by the class. */
let stateOf: (socket: BlockingSocketShell) => BlockingState;

/** Returns the state of a blocking socket; undefined for anything else. */
export function blockingStateOf(socket: unknown): BlockingState | undefined {
  return socket instanceof BlockingSocketShell ? stateOf(socket) : undefined;
}

/** Reads and writes for a {@linkcode BlockingSocket} through the main thread. */
export class BlockingSocketShell implements BlockingSocket {
  readonly family: number;
  readonly type: number;
  readonly proto: number = 0;
  readonly #state: BlockingState;

  static {
    stateOf = (socket) => socket.#state;
  }

  /**
   * Creates a socket over a connection or a datagram socket of the server.
   *
   * @param io The connection or the datagram socket.
   */
  constructor(io: BlockingStream | BlockingDatagram) {
    this.#state = new BlockingState(io);
    this.family = this.#state.family;
    this.type = this.#state.type;
  }

  /** Checks a call that sends, and returns its time limit. */
  #sendLimit(flags: number | MessageOptions, syscall: string): Deadline {
    this.#state.checkOpen(syscall);
    const { bits, signal } = checkMessageOptions(
      flags,
      C.MSG_DONTWAIT,
      syscall,
    );
    return this.#state.limit(signal, bits);
  }

  recv(bufsize: number, flags: number | MessageOptions = 0): Bytes {
    this.#state.checkOpen("recv");
    checkSize(bufsize, "recv");
    const { bits, signal } = checkMessageOptions(flags, FLAGS, "recv");
    const stream = this.#state.reading();
    const limit = this.#state.limit(signal, bits);
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
    const stream = this.#state.reading();
    if (flags === 0 && target.length > 0) {
      return stream.recvInto(target, this.#state.limit());
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
    const stream = this.#state.connected("send", "EDESTADDRREQ");
    return stream.send(bytes, limit);
  }

  sendall(data: BytesLike, flags: number | MessageOptions = 0): void {
    const limit = this.#sendLimit(flags, "sendall");
    const bytes = toBytes(data, "sendall");
    const stream = this.#state.connected("send", "EDESTADDRREQ");
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
    if (this.#state.datagram === undefined) {
      const known = { syscall: "sendto", address: formatAddress(checked) };
      throw osError("EISCONN", known);
    }
    return this.#state.datagram.send(bytes, checked, limit);
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
    this.#state.checkOpen("sendfile");
    checkSignal(signal, "sendfile");
    checkSendfile(
      { type: this.type, timeout: this.#state.timeout },
      offset,
      count,
    );
    const stream = this.#state.stream!;
    const write = (data: Uint8Array) =>
      stream.sendall(data, this.#state.limit(signal));
    return passFileSync(file, offset, count ?? Infinity, write);
  }

  getsockname(): Address {
    this.#state.checkOpen("getsockname");
    return fromTransport(
      this.#state.stream?.localAddr ?? this.#state.datagram!.addr,
    );
  }

  getpeername(): Address {
    this.#state.checkOpen("getpeername");
    if (this.#state.stream === undefined) {
      throw osError("ENOTCONN", { syscall: "getpeername" });
    }
    return fromTransport(this.#state.stream.remoteAddr);
  }

  settimeout(seconds: number | null): void {
    settings.settimeout(this.#state, seconds);
  }

  setdeadline(seconds: number | null): void {
    settings.setdeadline(this.#state, seconds);
  }

  gettimeout(): number | null {
    return this.#state.timeout;
  }

  setblocking(flag: boolean): void {
    settings.setblocking(this.#state, flag);
  }

  getblocking(): boolean {
    return this.#state.timeout !== 0;
  }

  setsockopt(level: number, name: number, value: OptionValue): void {
    settings.setsockopt(this.#state, level, name, value);
  }

  getsockopt(level: number, name: number): number {
    return settings.getsockopt(this.#state, level, name);
  }

  makefile<M extends string = "r">(
    mode?: M,
    options?: MakefileOptions,
  ): BlockingFileForMode<M> {
    return createSocketFile(this.#state, this, mode, options, blockingMakefile);
  }

  shutdown(how: number, { signal }: AbortOptions = {}): void {
    checkSignal(signal, "shutdown");
    this.#state.checkOpen("shutdown");
    checkAborted(signal);
    checkDirection(how);
    const stream = this.#state.connected(
      "shutdown",
      "ENOTCONN",
      "the socket is not connected",
    );
    if (how !== C.SHUT_WR) stream.endRead();
    if (how !== C.SHUT_RD) stream.endWrite();
  }

  close(): void {
    this.#state.closeWanted = true;
    if (this.#state.files === 0) this.#state.close(false);
  }

  lingeringClose(seconds = 30, timeout = 5, options: AbortOptions = {}): void {
    lingeringCloseSync(this, seconds, timeout, options);
  }

  abort(): void {
    this.#state.close(true);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
