/**
 * The state of a socket.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import {
  DeadlineTimeout,
  SharedTimer,
  Timeout,
  type WaitLimit,
} from "../waiting/timeouts.ts";
import { withSignal } from "../waiting/abort.ts";
import { Datagram } from "./datagram.ts";
import { isDenoDatagram } from "../runtime/deno/deno_datagram.ts";
import type { OSError } from "../base/errors.ts";
import { osError } from "../base/translate_error.ts";
import { releaseFileno, takeFileno } from "./fileno.ts";
import { Listener } from "./listener.ts";
import { adoptDatagram } from "../runtime/opening/open.ts";
import {
  applyOptions,
  type OptionName,
  type OptionTarget,
} from "../runtime/transport/socket_options.ts";
import type {
  PendingOperation,
  Readiness,
} from "../waiting/pending_operation.ts";
import type { Tied } from "../files/raw_streams.ts";
import type { BufferedReader } from "../files/buffered_reader.ts";
import type { TextReader } from "../files/text_reader.ts";
import { type ByteCounts, NO_BYTES, Stream } from "./stream.ts";
import type { Transport } from "../runtime/transport/transport.ts";
import type { PathOptions } from "../runtime/unix/unix_path.ts";

/** The deadline of all calls of a socket. */
export interface SocketDeadline {
  /** The seconds of `setdeadline`. */
  readonly seconds: number;
  /** The time of the deadline on the clock of `performance.now()`. */
  readonly due: number;
}

/** The settings of new sockets: the timeout in seconds; null waits without limit. */
export const defaults: { timeout: number | null } = { timeout: null };

/** The errors of sockets that were closed with one. */
const failures = new WeakMap<SocketState, OSError>();

/** A reader over a socket. */
export type SocketReader = BufferedReader | TextReader;

/** A `connect` in progress. */
export interface Attempt {
  /** Ready when the attempt has ended. */
  readonly operation: PendingOperation<void>;
  /** Aborts the attempt. */
  readonly aborter: AbortController;
}

/**
 * The state of a socket: its endpoint, if it has one, and its settings; and the methods that several calls of the
 * socket share. Owns the endpoint.
 *
 * A member with `declare` has no field until it is set. Connections of a server have none of them: 64 bytes less each.
 */
export class SocketState {
  /** The timeout in seconds; null waits without limit. */
  timeout: number | null = defaults.timeout;
  /** The deadline of all calls. */
  declare deadline: SocketDeadline | undefined;
  /** The connection of a connected socket. */
  stream: Stream | undefined;
  /** The listener of a bound stream socket. */
  declare listener: Listener | undefined;
  /** The endpoint of a bound datagram socket. */
  declare datagram: Datagram | undefined;
  /** The `connect` in progress, until a call has reported its end. */
  declare attempt: Attempt | undefined;
  /** The TLS handshake in progress, until a call has reported its end. */
  declare handshake: Readiness | undefined;
  /** The address of a bound socket that connects, or has tried to connect. */
  declare localAddress: Address | undefined;
  /** The options for the path of a Unix socket. */
  declare pathOptions: PathOptions | undefined;
  /** Whether `listen` was called. */
  listening = false;
  /** Whether the socket is closed. */
  closed = false;
  /** Whether the socket closes with its last file. */
  closeWanted = false;
  /** The number of open files over the socket. */
  files = 0;
  /** The readers over the socket, which may hold bytes that nobody has read. */
  readers: SocketReader[] | undefined;
  /** Set on close: resolves when the system has released the address. */
  released: Promise<void> | undefined;
  /** The counts of a connection that is closed, or that a child process has taken over. */
  closedCounts: ByteCounts | undefined;
  /** The closed connection, if bytes or calls were on their way when it was closed. */
  declare closedStream: Stream | undefined;
  /** The options that were set. */
  declare options: Map<OptionName, number> | undefined;
  #fileno = 0;
  #unrefed = false;
  #timer: SharedTimer | undefined;
  #gone: PromiseWithResolvers<void> | undefined;

  /**
   * @param family The address family.
   * @param type The type.
   */
  constructor(readonly family: number, readonly type: number) {}

  /**
   * Returns the limit of a call that begins now; `timeout` is in seconds. Throws the reason of a signal that has
   * aborted.
   */
  limit(
    syscall: string,
    timeout: number | null = this.timeout,
    signal?: AbortSignal,
  ): WaitLimit {
    if (signal !== undefined) {
      return withSignal(this.limit(syscall, timeout), signal);
    }
    this.ref();
    if (timeout === 0) return "now";
    if (this.deadline !== undefined) {
      return this.#untilDeadline(this.deadline, timeout, syscall);
    }
    if (timeout === null) return null;
    return new Timeout(this.#timer ??= new SharedTimer(), timeout, syscall);
  }

  #untilDeadline(
    { seconds, due }: SocketDeadline,
    timeout: number | null,
    syscall: string,
  ): Timeout {
    const timer = this.#timer ??= new SharedTimer();
    const left = Math.max(0, due - performance.now()) / 1000;
    return timeout === null || left < timeout
      ? new DeadlineTimeout(timer, left, syscall, seconds)
      : new Timeout(timer, timeout, syscall);
  }

  /** Throws on a closed socket: EBADF, or the error of {@linkcode SocketState.fail}. */
  checkOpen(syscall: string): void {
    if (!this.closed) return;
    throw failures.get(this) ??
      osError("EBADF", { syscall, reason: "the socket is closed" });
  }

  /**
   * Closes the socket, and lets the calls under way and all later ones throw an error.
   *
   * @param failure The error.
   * @param abort Whether to drop the bytes that are not sent yet.
   */
  fail(failure: OSError, abort: boolean): void {
    if (this.closed) return;
    failures.set(this, failure);
    this.stream?.fail(failure);
    this.close(abort);
  }

  /** Registers a file whose held bytes must be sent before later ones. */
  hold(holder: Tied): void {
    this.stream?.hold(holder);
  }

  /** The endpoint: a stream, a listener or a datagram socket. */
  get endpoint(): Stream | Listener | Datagram | undefined {
    return this.stream ?? this.listener ?? this.datagram;
  }

  /** The numbers of bytes that the connection, or the datagram socket, has received and sent. */
  get byteCounts(): ByteCounts {
    return this.stream ?? this.datagram ?? this.closedCounts ?? NO_BYTES;
  }

  /** Resolves when a closed connection has sent its last bytes; undefined if there were none on their way. */
  get flushed(): Promise<void> | undefined {
    return this.closedStream?.flushed;
  }

  /** Whether the socket can wait for connections, datagrams, or the data of a connection. */
  get canReceive(): boolean {
    return this.listening || (this.stream ?? this.datagram) !== undefined;
  }

  /** Returns the part of the socket that options use. */
  target(): OptionTarget {
    return {
      type: this.type,
      values: this.options ??= new Map(),
      stream: this.stream?.transport,
      datagram: this.datagram?.transport,
      open: this.endpoint !== undefined,
    };
  }

  /** Takes over an open transport. */
  take(transport: Transport): void {
    if ("receive" in transport) {
      this.datagram = new Datagram(
        isDenoDatagram(transport) ? adoptDatagram(transport) : transport,
      );
    } else if ("accept" in transport) {
      this.listener = new Listener(transport);
      this.listening = true;
    } else this.stream = new Stream(transport);
    if (this.options !== undefined) this.#applyOptions();
  }

  #applyOptions(): void {
    try {
      applyOptions(this.target());
    } catch (error) {
      this.endpoint?.close();
      this.stream = this.listener = this.datagram = undefined;
      throw error;
    }
  }

  /** Returns the connected stream, or throws the error of a call without one. */
  connected(syscall: string, code: "ENOTCONN" | "EPIPE"): Stream {
    if (this.stream !== undefined) return this.stream;
    throw osError(code, { syscall, reason: "the socket is not connected" });
  }

  /** Returns the number of `owner`; -1 once it is closed. */
  fileno(owner: object): number {
    if (this.closed) return -1;
    return this.#fileno ||= takeFileno(owner);
  }

  /** Lets the process end although an accept or a receive is in flight, until the next call. */
  unref(): void {
    this.#unrefed = true;
    (this.listener ?? this.datagram)?.transport.unref?.();
  }

  /** Keeps the process alive for the accept or the receive in flight. */
  ref(): void {
    if (!this.#unrefed) return;
    this.#unrefed = false;
    (this.listener ?? this.datagram)?.transport.ref?.();
  }

  /** Closes the socket without its stream, which the caller owns from then on. */
  closeWithoutStream(): void {
    this.stream = undefined;
    this.close(false);
  }

  /** Closes the socket; `abort` drops the bytes that are not sent yet. */
  close(abort: boolean): void {
    if (this.closed) return;
    if (!abort) this.stream?.sendHeld();
    this.closed = this.closeWanted = true;
    this.listening = false;
    if (this.#fileno > 0) releaseFileno(this.#fileno);
    this.ref(); // the process waits for the end of the call in flight
    this.attempt?.aborter.abort();
    this.#timer?.stop();
    const { stream } = this;
    const counts: ByteCounts | undefined = stream ?? this.datagram;
    this.released = this.listener?.close() ?? this.datagram?.close() ??
      this.#closeStream(abort);
    if (this.released !== undefined) {
      this.closedCounts = counts;
      if (stream !== undefined) this.closedStream = stream;
    } else if (counts !== undefined) { // keeping the stream costs a connection 5 us
      const { bytesIn, bytesOut } = counts;
      this.closedCounts = { bytesIn, bytesOut };
    }
    this.stream = this.listener = this.datagram = undefined;
    this.#gone?.resolve(this.released);
  }

  #closeStream(abort: boolean): Promise<void> | undefined {
    const { stream } = this;
    if (stream === undefined) return undefined;
    const { busy } = stream;
    if (abort) stream.abort();
    else stream.close();
    return busy || abort ? stream.released() : undefined;
  }

  /** Resolves when the socket is closed and the system has released it. */
  whenReleased(): Promise<void> {
    if (this.closed) return this.released ?? Promise.resolve();
    return (this.#gone ??= Promise.withResolvers()).promise;
  }
}
