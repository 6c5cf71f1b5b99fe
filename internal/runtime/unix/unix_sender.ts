/**
 * Makes one attempt to send a Unix datagram.
 *
 * @module
 */

import { Mutex } from "../../waiting/mutex.ts";
import { begun } from "../../waiting/promises.ts";
import { poll } from "../../waiting/turns.ts";
import type { DenoDatagramConn } from "../deno/deno_datagram.ts";
import type { InterruptibleConn } from "./interruptible_conn.ts";
import { PeerAliases } from "./unix_aliases.ts";
import type { SendSockets } from "./unix_send_sockets.ts";

/**
 * The outcome of an attempt: the number of bytes sent; `"full"` if the queue of the peer is full, and no byte was sent;
 * or a send that cannot be cancelled, which ends when the peer reads or is gone.
 */
export type Outcome = number | "full" | Stuck;

/** A send that cannot be cancelled. */
export interface Stuck {
  /** Settles when the send has ended. */
  readonly sent: Promise<number>;
}

/** The number of remembered peers that are connected to the socket. Arbitrary. */
const CONNECTED_MAX = 1024;

/** Resolves to true if `promise` settles at once, or to false if it has to wait. */
function settles(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = () => settled = true;
  const end = promise.then(settle, settle);
  const source = {
    get ready() {
      return settled;
    },
    nextChange() {},
  };
  return Promise.race([end, poll(source)]);
}

/** Reports whether an error is EPERM: the peer is connected, but not to the socket that has sent. */
function isConnected(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied &&
    (error as { code?: string }).code === "EPERM";
}

/** Reports whether an error means that the peer, or the alias of its path, is gone. */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.ConnectionRefused;
}

/**
 * Sends through the send sockets of a socket, which can send while the socket receives. Sends through the socket itself
 * to peers that are connected to it, and if there are no send sockets.
 */
export class UnixSender {
  readonly #own: InterruptibleConn;
  readonly #sendSockets: SendSockets;
  readonly #aliases = new PeerAliases();
  /** The peers that are connected to the socket. */
  readonly #connected = new Set<string>();
  #ownStuck = false;
  /** Locked during an attempt through the socket itself, but not while a send is stuck. */
  readonly #ownAttempts = new Mutex();

  /**
   * @param own The socket.
   * @param sendSockets The send sockets of the socket. `close` closes them.
   */
  constructor(own: InterruptibleConn, sendSockets: SendSockets) {
    this.#own = own;
    this.#sendSockets = sendSockets;
  }

  /** Sends a datagram to `path`, if possible without waiting. */
  async attempt(p: Uint8Array, path: string): Promise<Outcome> {
    if (!this.#sendSockets.any || this.#connected.has(path)) {
      return await this.#throughOwn(p, path);
    }
    try {
      return await this.#throughSendSocket(p, path);
    } catch (error) {
      if (!isConnected(error)) throw error;
      if (this.#connected.size >= CONNECTED_MAX) this.#connected.clear();
      this.#connected.add(path);
      return await this.#throughOwn(p, path);
    }
  }

  async #throughSendSocket(p: Uint8Array, path: string): Promise<Outcome> {
    const risky = this.#aliases.of(path) === undefined;
    const sendSocket = await this.#sendSockets.take(risky);
    if (sendSocket === undefined) return "full";
    return await this.#over(sendSocket, p, path, (stuck) => {
      if (stuck === undefined) this.#sendSockets.give(sendSocket, risky);
      else this.#sendSockets.lose(sendSocket, risky, stuck);
    });
  }

  async #throughOwn(p: Uint8Array, path: string): Promise<Outcome> {
    if (!this.#ownAttempts.tryAcquire()) await this.#ownAttempts.acquire();
    try {
      if (this.#ownStuck) return "full"; // as long as that send is stuck
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

  /** Sends over `conn`. Calls `done` when `conn` is free again, or taken by a stuck send. */
  async #over(
    conn: DenoDatagramConn,
    p: Uint8Array,
    path: string,
    done: (stuck?: Promise<number>) => void,
  ): Promise<Outcome> {
    const alias = this.#aliases.of(path);
    const addr = { transport: "unixpacket", path: alias ?? path } as const;
    const bytes = alias === undefined ? p.slice() : p; // the send may outlast the call, and the caller reuses `p`
    const sent = begun(() => conn.send(bytes, addr));
    let settled = await settles(sent);
    if (!settled && alias !== undefined) {
      this.#aliases.revoke(path);
      settled = await settles(sent);
    }
    done(settled ? undefined : sent);
    if (settled) return await this.#result(sent, path, alias);
    // If the send buffer of the socket itself is full, the send has not looked up the path yet. It ends when it does.
    return alias === undefined ? { sent } : "full";
  }

  /** Returns the number of bytes of a send that has ended, or `"full"` if it was cancelled. */
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
      if (held && this.#aliases.revoke(path)) throw error; // a peer that is gone needs no alias
      return "full";
    }
  }

  /** Closes the send sockets, and cancels the sends that have an alias. */
  close(): void {
    this.#sendSockets.close();
    this.#aliases.close();
  }
}
