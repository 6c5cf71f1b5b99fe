/**
 * Sockets that send under the name of another one.
 *
 * @module
 */

import { type DenoDatagramConn, listenDatagram } from "./deno_datagram.ts";
import { bindWithMode } from "./unix_path.ts";

/**
 * How many twins a socket has. Each can be lost to one peer that does not read and has an abstract name, but for
 * one that is kept for the others. Arbitrary.
 */
const TWINS = 4;

/**
 * Binds a socket to a path, and before it others to the same path, which is removed after each. They keep the
 * name, so that what they send comes from that path; only what is bound last is reached there.
 *
 * @param path The path.
 * @param mode The permissions of the path; null leaves them to the umask.
 * @throws What `Deno.listenDatagram` throws, such as `AddrInUse`; then nothing is left open.
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

/** Someone who waits for a twin. */
interface Waiter {
  readonly risky: boolean;
  readonly resolve: (twin: DenoDatagramConn | undefined) => void;
}

/** The twins of a socket. The last one is never given to a send that could get stuck. */
export class Twins {
  readonly #all: readonly DenoDatagramConn[];
  readonly #free: DenoDatagramConn[];
  /** How many are out that may not come back: with a risky send, or stuck. */
  #unsure = 0;
  /** How many of these are stuck. */
  #stuck = 0;
  #waiters: Waiter[] = [];

  /** @param twins What to own. */
  constructor(twins: readonly DenoDatagramConn[]) {
    this.#all = twins;
    this.#free = [...twins];
  }

  /** Whether there are any. */
  get any(): boolean {
    return this.#all.length > 0;
  }

  /**
   * Takes a twin, when one is free.
   *
   * @param risky Whether the send cannot be taken back.
   * @returns undefined when all that it could have are stuck.
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

  /** Gives a twin back. */
  give(twin: DenoDatagramConn, risky: boolean): void {
    if (risky) this.#unsure--;
    this.#free.push(twin);
    this.#serve();
  }

  /** Leaves a twin to a send that is stuck, and takes it back when that has ended. */
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

  /** Gives those who wait what they can have by now, or tells them that they cannot. */
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

  /** Closes all. */
  close(): void {
    for (const twin of this.#all) twin.close();
  }
}
