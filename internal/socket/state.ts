/**
 * What a socket is made of.
 *
 * @module
 */

import {
  type Address,
  type AddressLike,
  formatAddress,
  fromTransport,
} from "../base/address.ts";
import {
  DeadlineTimeout,
  SharedTimer,
  Timeout,
  type WaitLimit,
} from "../waiting/timeouts.ts";
import { AF_INET, AF_UNIX, SOCK_DGRAM } from "../base/constants.ts";
import { Datagram } from "./datagram.ts";
import { DenoDatagram, isDenoDatagram } from "../runtime/deno_datagram.ts";
import { OSError, osError } from "../base/errors.ts";
import { releaseFileno, takeFileno } from "./fileno.ts";
import { isHeld, Listener } from "./listener.ts";
import {
  adoptDatagram,
  openDatagram,
  openListener,
  unboundAddress,
} from "../runtime/open.ts";
import {
  applyOptions,
  type OptionName,
  type OptionTarget,
} from "../runtime/socket_options.ts";
import {
  type PendingOperation,
  type Readiness,
  READY,
} from "../waiting/pending_operation.ts";
import { Stream } from "./stream.ts";
import type { Transport } from "../runtime/transport.ts";
import type { PathOptions } from "../runtime/unix_path.ts";
import { UnixDatagram } from "../runtime/unix_datagram.ts";

/** Deno's default backlog, and what `bind` opens with. */
const BACKLOG = 511;

/** When waiting ends for every call of a socket. */
export interface Deadline {
  /** How many seconds were given. */
  readonly seconds: number;
  /** When they end, on the clock of `performance.now()`. */
  readonly due: number;
}

/** How long a client may put off the end of its request where it has no limit of time; arbitrary. */
const END_SECONDS = 2;

/** A `connect` under way. */
export interface Attempt {
  /** Ready when it has ended. */
  readonly operation: PendingOperation<void>;
  /** Gives it up. */
  readonly giveUp: AbortController;
}

/** Says so where the address is that of a socket which was closed in this turn. */
function explain(error: unknown, address: AddressLike): unknown {
  const taken = error instanceof OSError && error.code === "EADDRINUSE";
  if (!taken || !isHeld(address)) return error;
  return osError("EADDRINUSE", {
    syscall: "bind",
    address: formatAddress(address),
    reason: "a closed socket has it until its waitClosed() resolves",
    cause: error.cause,
  });
}

/**
 * The state of a socket: which kind of endpoint it is by now, if any, and what was set before. Owns
 * the endpoint. Its methods are what several of the socket's calls need.
 */
export class SocketState {
  /** Seconds that calls wait; null is no limit. */
  timeout: number | null;
  /** When waiting ends for every call. */
  deadline: Deadline | undefined;
  /** Set when connected. */
  stream: Stream | undefined;
  /** Set when a stream socket is bound. */
  listener: Listener | undefined;
  /** Set when a datagram socket is bound. */
  datagram: Datagram | undefined;
  /** Set while a `connect` is under way, and until its end was told. */
  attempt: Attempt | undefined;
  /** The address of a bound socket that connects, or has tried to. */
  localAddress: Address | undefined;
  /** What was asked for about the path of a Unix socket. */
  pathOptions: PathOptions | undefined;
  /** Whether `listen` was called. */
  listening = false;
  /** Whether the socket is closed. */
  closed = false;
  /** Whether it closes when the last file made of it does. */
  closeWanted = false;
  /** How many files made of it are open. */
  files = 0;
  /** Set on close: resolves when the system has the address back. */
  released: Promise<void> | undefined;
  /** The options that were set. */
  options: Map<OptionName, number> | undefined;
  #fileno = 0;
  #resting = false;
  #timer: SharedTimer | undefined;
  #gone: PromiseWithResolvers<void> | undefined;

  /**
   * @param family The address family.
   * @param type The type.
   * @param timeout The timeout to begin with.
   */
  constructor(
    readonly family: number,
    readonly type: number,
    timeout: number | null,
  ) {
    this.timeout = timeout;
  }

  /** The limit of time for a call that begins now; `timeout` in seconds. */
  limit(syscall: string, timeout: number | null = this.timeout): WaitLimit {
    if (this.#resting) this.#resume();
    if (timeout === 0) return "now";
    if (this.deadline !== undefined) {
      return this.#untilDeadline(this.deadline, timeout, syscall);
    }
    if (timeout === null) return null;
    return new Timeout(this.#timer ??= new SharedTimer(), timeout, syscall);
  }

  #untilDeadline(
    { seconds, due }: Deadline,
    timeout: number | null,
    syscall: string,
  ): Timeout {
    const timer = this.#timer ??= new SharedTimer();
    const left = Math.max(0, due - performance.now()) / 1000;
    return timeout === null || left < timeout
      ? new DeadlineTimeout(timer, left, syscall, seconds)
      : new Timeout(timer, timeout, syscall);
  }

  /** Throws EBADF on a closed socket. */
  checkOpen(syscall: string): void {
    if (this.closed) {
      throw osError("EBADF", { syscall, reason: "the socket is closed" });
    }
  }

  /** The endpoint, of whichever kind. */
  get endpoint(): Stream | Listener | Datagram | undefined {
    return this.stream ?? this.listener ?? this.datagram;
  }

  /** Whether there is something to wait for: connections, datagrams, or the data of a connection. */
  get listens(): boolean {
    return this.listening || (this.stream ?? this.datagram) !== undefined;
  }

  /** The part that options see. */
  target(): OptionTarget {
    return {
      type: this.type,
      values: this.options ??= new Map(),
      stream: this.stream?.transport,
      datagram: this.datagram?.transport,
      open: this.endpoint !== undefined,
    };
  }

  /** Takes over something open. */
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

  /** Opens the endpoint of a socket that is bound. */
  bind(address: AddressLike, backlog?: number): void {
    const options = {
      ...this.pathOptions,
      reuseAddr: this.options?.get("SO_REUSEADDR") === 1,
      reusePort: this.options?.get("SO_REUSEPORT") === 1,
    };
    if (this.type === SOCK_DGRAM) {
      return this.take(openDatagram(this.family, address, options));
    }
    try {
      this.listener = new Listener(
        openListener(this.family, address, backlog, options),
      );
    } catch (error) {
      throw explain(error, address);
    }
  }

  /** Binds again to the own address, after a `connect` that failed. */
  rebind(): void {
    try {
      this.bind(this.localAddress!);
    } catch {
      // somebody has it by now: the next `connect` or `listen` tells
    }
  }

  /** The datagram socket, bound now if it was not. A loopback peer needs no more than the loopback. */
  ensureBound(peer?: string): Datagram {
    if (this.datagram === undefined) {
      const loopback = peer === "127.0.0.1" || peer === "::1";
      this.bind(loopback ? [peer, 0] : unboundAddress(this.family));
    }
    return this.datagram!;
  }

  /** Listens, with a backlog; a backlog other than what `bind` opened with opens the socket again. */
  listen(backlog: number = BACKLOG): void {
    const wanted = Math.max(0, backlog);
    if (this.listener === undefined) {
      const free = this.family === AF_UNIX
        ? unboundAddress(AF_UNIX)
        : ["", 0] as const;
      this.bind(this.localAddress ?? free, wanted);
    } else if (
      !this.listening && wanted !== BACKLOG && this.family !== AF_UNIX
    ) {
      const address = this.getsockname();
      this.listener.close();
      this.listener = undefined;
      this.bind(address, wanted);
    }
    this.listening = true;
  }

  /** The own address; the unspecified one where there is none. */
  getsockname(): Address {
    const addr = this.stream?.transport.localAddr ??
      (this.listener ?? this.datagram)?.transport.addr;
    if (addr !== undefined) return fromTransport(addr);
    if (this.localAddress !== undefined) return this.localAddress;
    if (this.family === AF_UNIX) return "";
    return [this.family === AF_INET ? "0.0.0.0" : "::", 0];
  }

  /** The connected stream, or the error that a call without one ends with. */
  connected(syscall: string, code: "ENOTCONN" | "EPIPE"): Stream {
    if (this.stream !== undefined) return this.stream;
    throw osError(code, { syscall, reason: "the socket is not connected" });
  }

  /** Ends the stream of a request: within the limit of the socket, or {@linkcode END_SECONDS} for the end itself. */
  async endRequest(): Promise<void> {
    this.checkOpen("shutdown");
    const stream = this.connected("shutdown", "ENOTCONN");
    await stream.endWrite(
      this.limit("shutdown"),
      () => this.limit("shutdown", END_SECONDS),
    );
  }

  /** The number of `owner` while it is open. */
  fileno(owner: object): number {
    if (this.closed) return -1;
    return this.#fileno ||= takeFileno(owner);
  }

  /** Returns number, kind and addresses, as Python's `repr` of a socket has them. */
  describe(fileno: number, proto: number): string {
    const kind =
      `fd=${fileno}, family=${this.family}, type=${this.type}, proto=${proto}`;
    if (this.closed) return `<Socket [closed] ${kind}>`;
    const own = formatAddress(this.getsockname());
    const addr = this.stream?.transport.remoteAddr ?? this.datagram?.peer;
    const peer = addr === undefined ? "" : formatAddress(fromTransport(addr));
    return `<Socket ${kind}${own && `, laddr=${own}`}${
      peer && `, raddr=${peer}`
    }>`;
  }

  /** Lets the process end while an accept or a receive is in flight that nobody waits for; the next call ends that. */
  rest(): void {
    this.#resting = true;
    (this.listener ?? this.datagram)?.transport.unref?.();
  }

  #resume(): void {
    this.#resting = false;
    (this.listener ?? this.datagram)?.transport.ref?.();
  }

  /** What to wait for before a read or an accept. */
  get readable(): Readiness {
    if (this.#resting) this.#resume();
    if (this.stream !== undefined) return this.stream.receiveBuffer;
    if (this.attempt !== undefined) {
      return this.#firstData(this.attempt.operation);
    }
    if (this.listening) return this.listener!.pending;
    return this.datagram?.pending ?? READY;
  }

  /** The failure of a `connect`, or else data. */
  #firstData(connecting: Readiness): Readiness {
    const source = () => this.stream?.receiveBuffer ?? connecting;
    return {
      get ready() {
        return source().ready;
      },
      fill: () => source().fill(),
    };
  }

  /** What to wait for before a write, or for the end of a `connect`. */
  get writable(): Readiness {
    if (this.stream !== undefined) return this.stream.sendQueue;
    return this.attempt?.operation ?? this.datagram?.sending ?? READY;
  }

  /** Gives the endpoint away. */
  detach(): Transport {
    const { endpoint } = this;
    if (endpoint === undefined) {
      throw osError("ENOTCONN", { syscall: "detach" });
    }
    if (endpoint.busy) {
      const reason = "data or a call in flight would be lost";
      throw osError("EBUSY", { syscall: "detach", reason });
    }
    this.stream = this.listener = this.datagram = undefined;
    this.close(false);
    const { transport } = endpoint;
    const wrapped = transport instanceof DenoDatagram ||
      transport instanceof UnixDatagram;
    return wrapped ? transport.detach() : transport;
  }

  /** Closes; `abort` drops what is on its way. */
  close(abort: boolean): void {
    if (this.closed) return;
    if (!abort) this.stream?.sendHeld();
    this.closed = this.closeWanted = true;
    this.listening = false;
    if (this.#fileno > 0) releaseFileno(this.#fileno);
    if (this.#resting) this.#resume(); // or the end of the call in flight would not be waited for
    this.attempt?.giveUp.abort();
    this.#timer?.stop();
    this.released = this.listener?.close() ?? this.datagram?.close() ??
      this.#closeStream(abort);
    this.stream = this.listener = this.datagram = undefined;
    this.#gone?.resolve(this.released);
  }

  #closeStream(abort: boolean): Promise<void> | undefined {
    const { stream } = this;
    if (stream === undefined) return undefined;
    const { busy } = stream;
    if (abort) stream.abort();
    else stream.close();
    return busy ? stream.released() : undefined;
  }

  /** Resolves when the socket is closed, and the system has back what it held. */
  whenReleased(): Promise<void> {
    if (this.closed) return this.released ?? Promise.resolve();
    return (this.#gone ??= Promise.withResolvers()).promise;
  }

  /** A file is closed; the last one closes the socket where that was asked for. */
  closeFile(): void {
    this.files--;
    if (this.files === 0 && this.closeWanted) this.close(false);
  }
}
