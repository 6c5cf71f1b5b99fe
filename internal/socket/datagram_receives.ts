/**
 * The receives of a datagram socket, and the datagrams that they have received.
 *
 * A server that handles one datagram at a time keeps up to four receives in flight, each with a buffer of its own, so
 * that it receives a few datagrams, handles them, and receives the next few. With one receive in flight it changes
 * between the two for each datagram, and an echo of 64 bytes reaches 0.88 of its rate.
 *
 * The receives end in the order of arrival. That needs care: Deno (2.9.6) gives a receive that has a datagram at once to
 * the program, but reports one that had to wait only after the timers of the turn. A receive that begins in between
 * would overtake it. So no receive begins while another one is in flight.
 *
 * @module
 */

import type { Bytes } from "../base/memory.ts";
import { begun } from "../waiting/promises.ts";
import {
  callWatchers,
  type WatchedReadiness,
} from "../waiting/pending_operation.ts";
import {
  type DatagramTransport,
  receivesSeveral,
  type TransportAddr,
} from "../runtime/transport/transport.ts";

/**
 * The most bytes of a datagram: 65,507 bytes of payload in UDP over IPv4, rounded up. A Unix datagram may be longer; the
 * buffer has room for one byte more, which shows that.
 */
export const DATAGRAM_MAX = 65536;

/** The most receives in flight. A bare echo was no faster with 16. */
const RECEIVES_MAX = 4;

/**
 * The number of single datagrams after which two receives begin, to see whether datagrams come faster than one at a
 * time. A second receive that waits in vain costs a tenth of the time of a datagram.
 */
const SINGLES_BEFORE_TRY = 8;

/** A datagram and its sender. */
export type Received = [data: Uint8Array, sender: TransportAddr];

/** An error in place of a datagram. */
class ReceiveFailure {
  constructor(readonly error: unknown) {}
}

/** Receives datagrams and keeps them, in the order of arrival, until they are taken. */
export class DatagramReceives implements WatchedReadiness {
  readonly watchers: Set<() => void> = new Set();
  readonly #transport: DatagramTransport;
  readonly #wants: (received: Received) => boolean;
  readonly #buffers: Bytes[] = [];
  readonly #arrived: (Received | ReceiveFailure)[] = [];
  #inFlight = 0;
  #nextArrival: PromiseWithResolvers<void> | undefined;
  #allEnded: PromiseWithResolvers<void> | undefined;
  /** Whether more than one receive may be in flight. */
  #several = false;
  /** The number of datagrams that the receives begun last have received. */
  #batch = 0;
  /** The number of receives in a row that have received a single datagram. */
  #singles = 0;

  /**
   * @param transport The transport to receive from.
   * @param wants Reports whether to keep a datagram.
   */
  constructor(
    transport: DatagramTransport,
    wants: (received: Received) => boolean,
  ) {
    this.#transport = transport;
    this.#wants = wants;
  }

  get ready(): boolean {
    return this.#arrived.length > 0;
  }

  /** Whether a receive is in flight, or a datagram waits. */
  get busy(): boolean {
    return this.#inFlight > 0 || this.ready;
  }

  /** The number of datagrams that wait to be taken. */
  get unread(): number {
    return this.#arrived.filter((each) => !(each instanceof ReceiveFailure))
      .length;
  }

  /** Resolves when no receive is in flight; at once if there is none. */
  get settled(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    return (this.#allEnded ??= Promise.withResolvers()).promise;
  }

  /** Lets several receives be in flight, if the transport can. */
  allowSeveral(): void {
    if (this.#several || !receivesSeveral(this.#transport)) return;
    if (this.#inFlight > 0) return; // the next call finds none: one at a time, so far
    this.#several = true;
    this.#transport.receiveSeveral();
  }

  nextChange(): Promise<void> {
    if (this.ready) return Promise.resolve();
    if (this.#inFlight === 0) this.#startBatch();
    return (this.#nextArrival ??= Promise.withResolvers()).promise;
  }

  #startBatch(): void {
    const count = this.#several ? this.#nextCount() : 1;
    this.#batch = 0;
    for (let i = 0; i < count; i++) this.#start(i);
  }

  /** Returns how many receives to begin, by how many datagrams came last time. */
  #nextCount(): number {
    if (this.#batch > 1) {
      this.#singles = 0;
      return RECEIVES_MAX;
    }
    if (this.#singles++ < SINGLES_BEFORE_TRY) return 1;
    this.#singles = 0;
    return 2;
  }

  #start(index: number): void {
    const buffer = this.#buffers[index] ??= new Uint8Array(DATAGRAM_MAX + 1);
    this.#inFlight++;
    begun(() => this.#transport.receive(buffer)).then(
      (received) => {
        if (this.#wants(received)) return this.#end(received);
        this.#inFlight--;
        this.#start(index);
      },
      (error) => this.#end(new ReceiveFailure(error)),
    );
  }

  #end(result: Received | ReceiveFailure): void {
    this.#arrived.push(result);
    this.#batch++;
    this.#nextArrival?.resolve();
    this.#nextArrival = undefined;
    if (--this.#inFlight === 0) {
      this.#allEnded?.resolve();
      this.#allEnded = undefined;
    }
    callWatchers(this);
  }

  /**
   * Takes the first datagram, or throws the error in its place. The next receive overwrites the bytes: copy them before
   * the next `nextChange`.
   */
  take(): Received {
    const first = this.#arrived.shift()!;
    if (first instanceof ReceiveFailure) throw first.error;
    return first;
  }

  /** Returns the first datagram without taking it, or throws the error in its place. */
  peek(): Received {
    const [first] = this.#arrived;
    return first instanceof ReceiveFailure ? this.take() : first;
  }
}
