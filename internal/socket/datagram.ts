/**
 * A datagram socket: UDP, or Unix datagrams.
 *
 * @module
 */

import { type Address, formatAddress, fromTransport } from "../base/address.ts";
import type { Cancellation, WaitLimit } from "../waiting/timeouts.ts";
import { whenReady } from "../waiting/when_ready.ts";
import { begun, quiet } from "../waiting/promises.ts";
import { DatagramMemory } from "./datagram_memory.ts";
import {
  DATAGRAM_MAX,
  DatagramReceives,
  type Received,
} from "./datagram_receives.ts";
import { type Doing, osError, translate } from "../base/translate_error.ts";
import { Mutex } from "../waiting/mutex.ts";
import type { Bytes } from "../base/memory.ts";
import {
  PendingOperation,
  type Readiness,
  READY,
} from "../waiting/pending_operation.ts";
import {
  type BoundedDatagramTransport,
  type DatagramTransport,
  isBounded,
  receivesSeveral,
  type TransportAddr,
} from "../runtime/transport/transport.ts";

type Taken = [data: Bytes, sender: Address | null];

/** Receives and sends datagrams, one at a time each. Owns the transport and closes it. */
export class Datagram {
  /** The transport. */
  readonly transport: DatagramTransport;
  /** The receives in flight and their results. */
  readonly pending: DatagramReceives;
  /**
   * Sends one datagram after the other, in the order of the calls. Deno (2.9.6) turns the order round where sends have to
   * wait: the first on a socket, those beyond 128 in a turn, and while the system's buffer is full.
   */
  readonly sending: Mutex = new Mutex();
  readonly #memory = new DatagramMemory();
  /** The sender of the datagram that was taken last. */
  #sender: TransportAddr | undefined;
  /** The peer of `connect`. Datagrams of other senders are dropped, as by the kernel. */
  peer: TransportAddr | undefined;
  /** Whether the datagrams sent are a server's answers. */
  answering = false;
  readonly #bounded: BoundedDatagramTransport | undefined;
  /** The number of sends of a bounded transport in flight. */
  #sends = 0;
  #closed = false;
  /** Whether a datagram was longer than its call took. A server looks at this, and clears it. */
  truncated = false;
  /** The number of bytes of the datagrams taken. */
  bytesIn = 0;
  /** The number of bytes of the datagrams sent. */
  bytesOut = 0;

  /** @param transport The transport to own. */
  constructor(transport: DatagramTransport) {
    this.transport = transport;
    this.#bounded = isBounded(transport) ? transport : undefined;
    this.pending = new DatagramReceives(
      transport,
      ([, sender]) => this.peer === undefined || sameAddr(this.peer, sender),
    );
  }

  /** Ready when no answer waits to be sent. */
  get flushed(): Readiness {
    return this.#bounded?.flushed ?? READY;
  }

  /** The number of datagrams that were received and not taken. */
  get unread(): number {
    return this.pending.unread + (this.transport.queued ?? 0);
  }

  /** Whether a detach would lose a datagram or a call in flight. */
  get busy(): boolean {
    return this.pending.busy || !this.sending.ready || this.#sends > 0;
  }

  /**
   * Notes that a server receives here and answers.
   *
   * @param oneByOne Whether it handles one datagram at a time, and gains by several receives in flight. The handlers of
   *   a server with a mix-in would wait for each other to send: with
   *   several receives such a server reached 0.96 of its rate.
   */
  markServing(oneByOne: boolean): void {
    this.answering = true;
    if (oneByOne) this.pending.allowSeveral();
  }

  /**
   * Takes the next datagram and its sender. The sender is null for an unnamed Unix socket.
   *
   * @param limit The limit of the wait.
   * @param size The most bytes. The rest is dropped, as by the kernel.
   * @param keep Whether the datagram stays for the next call.
   */
  recv(limit: WaitLimit, size: number, keep: boolean): Promise<Taken> {
    return whenReady(this.pending, limit, "recv", () => this.take(size, keep));
  }

  /** Takes a datagram that has arrived, as {@linkcode Datagram.recv} does. */
  take(size: number, keep = false): Taken {
    const [data, sender] = this.#take(keep);
    this.#sender = sender;
    const address = fromTransport(sender) || null;
    const whole = data.length <= Math.min(size, DATAGRAM_MAX);
    const taken = whole ? data : this.#cut(data, size);
    if (!keep) this.bytesIn += taken.length;
    return [this.#memory.copy(taken, sender), address];
  }

  #cut(data: Uint8Array, size: number): Uint8Array {
    this.truncated = true;
    return data.subarray(0, Math.min(size, DATAGRAM_MAX));
  }

  #take(keep: boolean): Received {
    try {
      return keep ? this.pending.peek() : this.pending.take();
    } catch (error) {
      throw this.#failure(error, { syscall: "recv" });
    }
  }

  #failure(error: unknown, doing: Doing): unknown {
    return this.#closed
      ? osError("EBADF", { ...doing, reason: "the socket was closed" })
      : translate(error, doing);
  }

  /**
   * Returns the transport's form of `address` if it is the sender of the last datagram. A server nearly always answers
   * that sender, and checking and parsing an address takes longer.
   */
  lastSenderIf(address: unknown): TransportAddr | undefined {
    const sender = this.#sender;
    if (sender === undefined) return undefined;
    const same = Array.isArray(address)
      ? address.length === 2 && address[0] === sender.hostname &&
        address[1] === sender.port
      : address === sender.path;
    return same && address ? sender : undefined;
  }

  /** Sends one datagram, after those of earlier calls. The caller need not await the promise. */
  send(
    data: Uint8Array,
    addr: TransportAddr,
    limit: WaitLimit,
  ): Promise<number> {
    if (this.#bounded !== undefined) {
      return this.#sendBounded(this.#bounded, data, addr, limit);
    }
    if (this.sending.tryAcquire()) {
      const sent = this.#send(data, addr);
      return limit === null ? sent : this.#within(sent, limit);
    }
    if (limit === null) {
      return quiet(this.sending.acquire().then(() => this.#send(data, addr)));
    }
    const turn = this.sending.acquireWithin(limit, "sendto");
    return quiet(
      turn.then(() => this.#within(this.#send(data, addr), limit)),
    );
  }

  /** Waits for a send within its limit. After a timeout the send goes on and delays the next: it cannot be cancelled. */
  #within(
    sent: Promise<number>,
    limit: "now" | Cancellation,
  ): Promise<number> {
    const ended: PendingOperation<number> = new PendingOperation(() => sent);
    return quiet(whenReady(ended, limit, "sendto", () => ended.take()));
  }

  /** Passes the datagram to a transport that keeps limits and order itself. */
  #sendBounded(
    transport: BoundedDatagramTransport,
    data: Uint8Array,
    addr: TransportAddr,
    limit: WaitLimit,
  ): Promise<number> {
    this.#sends++;
    const { answering } = this;
    const sent = begun(() => transport.send(data, addr, limit, answering));
    return quiet(
      sent.then(this.#count, (error) => {
        const address = formatAddress(fromTransport(addr));
        throw this.#failure(error, { syscall: "sendto", address });
      }).finally(() => this.#sends--),
    );
  }

  /** Passes the datagram to the transport: one promise, marked as handled only by a failure. */
  #send(data: Uint8Array, addr: TransportAddr): Promise<number> {
    const sent: Promise<number> = begun(() => this.transport.send(data, addr))
      .then(this.#sent, (error) => {
        quiet(sent);
        throw this.#unsent(error, addr);
      });
    return sent;
  }

  readonly #count = (count: number): number => {
    this.bytesOut += count;
    return count;
  };

  readonly #sent = (count: number): number => {
    this.sending.release();
    return this.#count(count);
  };

  #unsent(error: unknown, addr: TransportAddr): unknown {
    this.sending.release();
    const address = formatAddress(fromTransport(addr));
    return this.#failure(error, { syscall: "sendto", address });
  }

  /**
   * Closes. A datagram that no call took is lost, as in the kernel.
   *
   * @returns Resolves when the receive in flight has ended and the system has released the address.
   */
  async close(): Promise<void> {
    this.#closed = true;
    const { settled } = this.pending;
    try {
      this.transport.close();
    } catch {
      // the transport was closed before
    }
    await settled;
    if (receivesSeveral(this.transport)) this.transport.endSeveral();
    await this.transport.released;
  }
}

function sameAddr(a: TransportAddr, b: TransportAddr): boolean {
  return a.port === b.port && a.hostname === b.hostname &&
    (a.path ?? "") === (b.path ?? "");
}
