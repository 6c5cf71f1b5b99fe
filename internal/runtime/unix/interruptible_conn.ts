/**
 * A Unix datagram socket of Deno whose receive a send can interrupt.
 *
 * @module
 */

import { Mutex } from "../../waiting/mutex.ts";
import type { TransportAddr } from "../transport/transport.ts";
import type { DenoDatagramConn } from "../deno/deno_datagram.ts";

/** Opens another Unix datagram socket on this host, with any name. */
export type OpenWaker = () => DenoDatagramConn;

const NOTHING = new Uint8Array(0);

/**
 * Lets a Unix datagram socket of Deno receive and send at the same time. Deno's socket (2.9.6) does one thing at a
 * time: a send fails with `Busy` while a receive waits, and a receive cannot be cancelled. So a send first ends the
 * receive with an empty datagram from a second socket, which `receive` drops. Earlier datagrams are received before it:
 * none is lost, and the order holds.
 */
export class InterruptibleConn {
  /** Deno's socket. */
  readonly conn: DenoDatagramConn;
  readonly #openWaker: OpenWaker;
  readonly #turns = new Mutex();
  #waker: DenoDatagramConn | undefined;
  /** Whether Deno has a receive in flight. */
  #waiting = false;
  /** The number of sends that wait for their turn. */
  #wanted = 0;

  /**
   * Adopts a socket, which `close` closes.
   *
   * @param conn The socket. No other code may use it.
   * @param openWaker Opens the second socket, when it is first needed.
   */
  constructor(conn: DenoDatagramConn, openWaker: OpenWaker) {
    this.conn = conn;
    this.#openWaker = openWaker;
  }

  /** Receives a datagram into `p`. */
  async receive(p: Uint8Array): Promise<[Uint8Array, TransportAddr]> {
    for (;;) {
      await this.#turns.acquire();
      this.#waiting = this.#wanted === 0;
      try {
        if (!this.#waiting) continue; // a send asked meanwhile: it is next
        const received = await this.conn.receive(p);
        if (!this.#isWaker(received[1])) return received;
      } finally {
        this.#waiting = false;
        this.#turns.release();
      }
    }
  }

  /** Takes a turn to send. Interrupts a receive that waits, which goes on after {@linkcode InterruptibleConn.release}. */
  async acquire(): Promise<void> {
    if (this.#turns.tryAcquire()) return;
    this.#wanted++;
    const turn = this.#turns.acquire().then(() => void this.#wanted--);
    try {
      if (this.#waiting) await this.#wake();
    } catch (error) {
      turn.then(() => this.#turns.release());
      throw error;
    }
    await turn;
  }

  /** Ends a turn. */
  release(): void {
    this.#turns.release();
  }

  async #wake(): Promise<void> {
    this.#waiting = false; // one datagram is enough
    try {
      this.#waker ??= this.#openWaker();
      await this.#waker.send(NOTHING, this.conn.addr);
    } catch (error) {
      this.#waiting = true; // the receive goes on
      throw error;
    }
  }

  #isWaker(sender: TransportAddr): boolean {
    return this.#waker !== undefined && sender.path === this.#waker.addr.path;
  }

  /** Returns the socket to the caller, who closes it. */
  detach(): DenoDatagramConn {
    this.#waker?.close();
    return this.conn;
  }
}
