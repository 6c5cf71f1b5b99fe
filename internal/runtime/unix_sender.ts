/**
 * One attempt to send a Unix datagram.
 *
 * @module
 */

import { poll } from "../waiting/timeouts.ts";
import { Mutex } from "../waiting/mutex.ts";
import type { DenoDatagramConn } from "./deno_datagram.ts";
import type { TransportAddr } from "./transport.ts";
import { PeerAliases } from "./unix_aliases.ts";
import type { UnixConn } from "./unix_conn.ts";
import type { Twins } from "./unix_twins.ts";

/**
 * What an attempt came to: how many bytes were sent; `"full"`, when the peer's queue is, and nothing was sent; or
 * a send that cannot be taken back, and ends when the peer reads or is gone.
 */
export type Outcome = number | "full" | Stuck;

/** A send that cannot be taken back. */
export interface Stuck {
  /** Its end. */
  readonly sent: Promise<number>;
}

/** How many peers are remembered that are connected to the socket. Arbitrary. */
const CONNECTED_MAX = 1024;

/** Resolves to true when `promise` settles, or to false when it takes longer than what is ready takes. */
function settles(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = () => settled = true;
  const end = promise.then(settle, settle);
  const source = {
    get ready() {
      return settled;
    },
    fill() {},
  };
  return Promise.race([end, poll(source)]);
}

/** EPERM: the peer is connected, and not to the socket that sent. */
function isConnected(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied &&
    (error as { code?: string }).code === "EPERM";
}

/** The peer is gone, or it was only the alias that led nowhere. */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.ConnectionRefused;
}

/**
 * Sends through twins of a socket, which go on while it receives; to a peer that is connected to the socket,
 * and where there are no twins, through the socket itself.
 */
export class UnixSender {
  readonly #own: UnixConn;
  readonly #twins: Twins;
  readonly #aliases = new PeerAliases();
  /** The peers that the socket itself must send to. */
  readonly #connected = new Set<string>();
  #ownStuck = false;
  /** Held during an attempt through the socket itself: the next one waits for that, and not for a send that is stuck. */
  readonly #ownAttempts = new Mutex();

  /**
   * @param own The socket.
   * @param twins Its twins, which `close` closes.
   */
  constructor(own: UnixConn, twins: Twins) {
    this.#own = own;
    this.#twins = twins;
  }

  /** Sends a datagram to `path`, if it can be done now. */
  async attempt(p: Uint8Array, path: string): Promise<Outcome> {
    if (!this.#twins.any || this.#connected.has(path)) {
      return await this.#throughOwn(p, path);
    }
    try {
      return await this.#throughTwin(p, path);
    } catch (error) {
      if (!isConnected(error)) throw error;
      if (this.#connected.size >= CONNECTED_MAX) this.#connected.clear();
      this.#connected.add(path);
      return await this.#throughOwn(p, path);
    }
  }

  async #throughTwin(p: Uint8Array, path: string): Promise<Outcome> {
    const risky = this.#aliases.of(path) === undefined;
    const twin = await this.#twins.take(risky);
    if (twin === undefined) return "full";
    return await this.#over(twin, p, path, (stuck) => {
      if (stuck === undefined) this.#twins.give(twin, risky);
      else this.#twins.lose(twin, risky, stuck);
    });
  }

  async #throughOwn(p: Uint8Array, path: string): Promise<Outcome> {
    if (!this.#ownAttempts.tryAcquire()) await this.#ownAttempts.acquire();
    try {
      if (this.#ownStuck) return "full"; // until that send has ended
      await this.#own.acquire();
      return await this.#over(this.#own.conn, p, path, this.#ownDone);
    } finally {
      this.#ownAttempts.release();
    }
  }

  readonly #ownDone = (stuck?: Promise<number>): void => {
    this.#ownStuck = stuck !== undefined;
    const release = () => {
      this.#ownStuck = false;
      this.#own.release();
    };
    if (stuck === undefined) release();
    else stuck.then(release, release);
  };

  /** Sends over `conn`, and says with `done` whether it is free again or left to a send that is stuck. */
  async #over(
    conn: DenoDatagramConn,
    p: Uint8Array,
    path: string,
    done: (stuck?: Promise<number>) => void,
  ): Promise<Outcome> {
    const alias = this.#aliases.of(path);
    const addr: TransportAddr = {
      transport: "unixpacket",
      path: alias ?? path,
    };
    let sent: Promise<number>;
    try {
      sent = conn.send(alias === undefined ? p.slice() : p, addr); // it may outlast the call, whose caller reuses `p`
    } catch (error) {
      sent = Promise.reject(error);
    }
    let settled = await settles(sent);
    if (!settled && alias !== undefined) {
      this.#aliases.revoke(path);
      settled = await settles(sent);
    }
    done(settled ? undefined : sent);
    if (settled) return await this.#result(sent, path, alias);
    // Where the socket's own send buffer is full the send does not look the path up; it will, and find nothing.
    return alias === undefined ? { sent } : "full";
  }

  /** The count of a send that has ended, or `"full"` when it was taken back. */
  async #result(
    sent: Promise<number>,
    path: string,
    alias: string | undefined,
  ): Promise<Outcome> {
    try {
      return await sent;
    } catch (error) {
      if (alias === undefined || !isGone(error)) throw error;
      const held = this.#aliases.holds(path, alias);
      if (held && this.#aliases.revoke(path)) throw error; // a peer that is gone needs none
      return "full";
    }
  }

  /** Closes the twins, and ends what is under way where that can be. */
  close(): void {
    this.#twins.close();
    this.#aliases.close();
  }
}
