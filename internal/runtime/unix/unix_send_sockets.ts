/**
 * The sockets that send for a Unix datagram socket, under its name.
 *
 * @module
 */

import {
  type DenoDatagramConn,
  listenDatagram,
} from "../deno/deno_datagram.ts";
import { bindWithMode } from "./unix_path.ts";

/**
 * The number of send sockets of a socket. Each peer that has an abstract name and does not read can block one of them;
 * the last one is kept for the other peers. Arbitrary.
 */
const SEND_SOCKETS = 4;

/**
 * Binds the send sockets and then the socket to the same path, which is removed after each send socket. These keep the
 * name, so their datagrams come from that path; datagrams to the path reach the socket, which was bound last.
 *
 * @param path The path.
 * @param mode The permissions of the path; null leaves them to the umask.
 * @throws The errors of `Deno.listenDatagram`, such as `AddrInUse`. No socket is left open then.
 */
export function bindWithSendSockets(
  path: string,
  mode: number | null = null,
): [DenoDatagramConn, DenoDatagramConn[]] {
  const listen = () => listenDatagram!({ transport: "unixpacket", path });
  const opened: DenoDatagramConn[] = [];
  try {
    while (opened.length < SEND_SOCKETS) {
      opened.push(listen());
      Deno.removeSync(path);
    }
    return [bindWithMode(path, mode, listen), opened];
  } catch (error) {
    for (const conn of opened) conn.close();
    throw error;
  }
}

/** A call that waits for a send socket. */
interface Waiter {
  readonly risky: boolean;
  readonly resolve: (sendSocket: DenoDatagramConn | undefined) => void;
}

/** Lends the send sockets of a socket to sends. A send that may get stuck (Deno 2.9.6) never gets the last one. */
export class SendSockets {
  readonly #all: readonly DenoDatagramConn[];
  readonly #free: DenoDatagramConn[];
  /** The number of send sockets that may not come back: lent to a risky send, or stuck. */
  #atRisk = 0;
  /** The number of stuck send sockets. */
  #stuck = 0;
  #waiters: Waiter[] = [];

  /** @param sendSockets The send sockets. `close` closes them. */
  constructor(sendSockets: readonly DenoDatagramConn[]) {
    this.#all = sendSockets;
    this.#free = [...sendSockets];
  }

  /** Reports whether there are any send sockets. */
  get any(): boolean {
    return this.#all.length > 0;
  }

  /**
   * Lends a send socket, as soon as one is free.
   *
   * @param risky Whether the send cannot be cancelled.
   * @returns The send socket; undefined if all send sockets that the send may have are stuck.
   */
  take(risky: boolean): Promise<DenoDatagramConn | undefined> {
    if (this.#hopeless(risky)) return Promise.resolve(undefined);
    if (this.#mayLend(risky)) return Promise.resolve(this.#lend(risky));
    return new Promise((resolve) => this.#waiters.push({ risky, resolve }));
  }

  #mayLend(risky: boolean): boolean {
    return this.#free.length > 0 &&
      !(risky && this.#atRisk >= this.#all.length - 1);
  }

  #hopeless(risky: boolean): boolean {
    return this.#stuck >= this.#all.length - Number(risky);
  }

  #lend(risky: boolean): DenoDatagramConn {
    if (risky) this.#atRisk++;
    return this.#free.pop()!;
  }

  /** Returns a send socket after a send. */
  give(sendSocket: DenoDatagramConn, risky: boolean): void {
    if (risky) this.#atRisk--;
    this.#free.push(sendSocket);
    this.#serve();
  }

  /** Leaves a send socket to a send that is stuck, until the send has ended. */
  lose(
    sendSocket: DenoDatagramConn,
    risky: boolean,
    sent: Promise<unknown>,
  ): void {
    if (!risky) this.#atRisk++;
    this.#stuck++;
    const back = () => {
      this.#stuck--;
      this.give(sendSocket, true);
    };
    sent.then(back, back);
    this.#serve();
  }

  /** Lends free send sockets to the calls that wait. Calls that can no longer get one get undefined. */
  #serve(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      const { risky, resolve } = waiter;
      if (this.#mayLend(risky)) resolve(this.#lend(risky));
      else if (this.#hopeless(risky)) resolve(undefined);
      else this.#waiters.push(waiter);
    }
  }

  /** Closes all send sockets. */
  close(): void {
    for (const sendSocket of this.#all) sendSocket.close();
  }
}
