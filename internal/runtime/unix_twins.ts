/**
 * Twins of a Unix datagram socket: sockets of the same name, to send with.
 *
 * @module
 */

import { type DenoDatagramConn, listenDatagram } from "./deno_datagram.ts";
import { bindWithMode } from "./unix_path.ts";

/**
 * The number of twins of a socket. Each peer that has an abstract name and does not read can block one of them; the
 * last one is kept for the other peers. Arbitrary.
 */
const TWINS = 4;

/**
 * Binds the twins and then the socket to the same path, which is removed after each twin. The twins keep the name, so
 * their datagrams come from that path; datagrams to the path reach the socket, which was bound last.
 *
 * @param path The path.
 * @param mode The permissions of the path; null leaves them to the umask.
 * @throws The errors of `Deno.listenDatagram`, such as `AddrInUse`. No socket is left open then.
 */
export function bindWithTwins(
  path: string,
  mode: number | null = null,
): [DenoDatagramConn, DenoDatagramConn[]] {
  const listen = () => listenDatagram!({ transport: "unixpacket", path });
  const opened: DenoDatagramConn[] = [];
  try {
    while (opened.length < TWINS) {
      opened.push(listen());
      Deno.removeSync(path);
    }
    return [bindWithMode(path, mode, listen), opened];
  } catch (error) {
    for (const conn of opened) conn.close();
    throw error;
  }
}

/** A call that waits for a twin. */
interface Waiter {
  readonly risky: boolean;
  readonly resolve: (twin: DenoDatagramConn | undefined) => void;
}

/** Lends the twins of a socket to sends. A send that may get stuck never gets the last one. */
export class Twins {
  readonly #all: readonly DenoDatagramConn[];
  readonly #free: DenoDatagramConn[];
  /** The number of twins that may not come back: lent to a risky send, or stuck. */
  #unsure = 0;
  /** The number of stuck twins. */
  #stuck = 0;
  #waiters: Waiter[] = [];

  /** @param twins The twins. `close` closes them. */
  constructor(twins: readonly DenoDatagramConn[]) {
    this.#all = twins;
    this.#free = [...twins];
  }

  /** Reports whether there are any twins. */
  get any(): boolean {
    return this.#all.length > 0;
  }

  /**
   * Lends a twin, as soon as one is free.
   *
   * @param risky Whether the send cannot be cancelled.
   * @returns The twin; undefined if all twins that the send may have are stuck.
   */
  take(risky: boolean): Promise<DenoDatagramConn | undefined> {
    if (this.#hopeless(risky)) return Promise.resolve(undefined);
    if (this.#may(risky)) return Promise.resolve(this.#hand(risky));
    return new Promise((resolve) => this.#waiters.push({ risky, resolve }));
  }

  #may(risky: boolean): boolean {
    return this.#free.length > 0 &&
      !(risky && this.#unsure >= this.#all.length - 1);
  }

  #hopeless(risky: boolean): boolean {
    return this.#stuck >= this.#all.length - Number(risky);
  }

  #hand(risky: boolean): DenoDatagramConn {
    if (risky) this.#unsure++;
    return this.#free.pop()!;
  }

  /** Returns a twin after a send. */
  give(twin: DenoDatagramConn, risky: boolean): void {
    if (risky) this.#unsure--;
    this.#free.push(twin);
    this.#serve();
  }

  /** Leaves a twin to a send that is stuck, until the send has ended. */
  lose(twin: DenoDatagramConn, risky: boolean, sent: Promise<unknown>): void {
    if (!risky) this.#unsure++;
    this.#stuck++;
    const back = () => {
      this.#stuck--;
      this.give(twin, true);
    };
    sent.then(back, back);
    this.#serve();
  }

  /** Lends free twins to the calls that wait. Calls that can no longer get one get undefined. */
  #serve(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      const { risky, resolve } = waiter;
      if (this.#may(risky)) resolve(this.#hand(risky));
      else if (this.#hopeless(risky)) resolve(undefined);
      else this.#waiters.push(waiter);
    }
  }

  /** Closes all twins. */
  close(): void {
    for (const twin of this.#all) twin.close();
  }
}
