/**
 * Unix datagrams over `Deno.listenDatagram`: receiving and sending at the same time, and sends that end.
 *
 * @module
 */

import type { Timeout, WaitLimit } from "../waiting/timeouts.ts";
import type { DenoDatagramConn } from "./deno_datagram.ts";
import { type OSError, osError } from "../base/errors.ts";
import { Mutex } from "../waiting/mutex.ts";
import { whenEnded } from "../waiting/pending_operation.ts";
import type { BoundedDatagramTransport, TransportAddr } from "./transport.ts";
import { type OpenWaker, UnixConn } from "./unix_conn.ts";
import { type Outcome, UnixSender } from "./unix_sender.ts";
import { Twins } from "./unix_twins.ts";

/** The first and the longest pause, in ms, before a full peer is tried again. A try takes 0.1 ms. Arbitrary. */
const PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 100;

/** How many answers are kept for one peer, and for all together. Arbitrary. */
const ANSWERS_MAX = 64;
const ALL_ANSWERS_MAX = 1024;

/** How many peers are remembered that did not read in time. Arbitrary. */
const DEAF_MAX = 1024;

/** A peer that is being sent to, one datagram after the other. */
class UnixPeer {
  readonly turns: Mutex = new Mutex();
  /** How many sends are under way or wait. */
  users = 0;
  /** How many of them are answers that are kept. */
  answers = 0;

  constructor(readonly path: string) {}
}

function tooMany({ path }: UnixPeer): OSError {
  return osError("EAGAIN", {
    syscall: "sendto",
    address: path,
    reason: "the peer does not read, and too many answers wait",
  });
}

/** How a datagram is to be sent. */
interface Sending {
  readonly peer: UnixPeer;
  readonly data: Uint8Array;
  readonly limit: WaitLimit;
}

/**
 * Sends to each peer in the order of the calls. A peer whose queue is full is tried again and again, until the
 * limit of the call; it holds up nobody else.
 *
 * A server's answers are not waited for: where the peer is full they are kept, up to a number, and sent later.
 */
export class UnixDatagram implements BoundedDatagramTransport {
  readonly bounded = true;
  /** Held while answers are kept. */
  readonly flushed: Mutex = new Mutex();
  readonly #own: UnixConn;
  readonly #sender: UnixSender;
  readonly #peers = new Map<string, UnixPeer>();
  readonly #deaf = new Set<string>();
  readonly #closing = Promise.withResolvers<void>();
  #answers = 0;

  /**
   * Adopts a socket, which `close` closes.
   *
   * @param conn The socket; nothing else may use it.
   * @param openWaker Opens another socket, when it is first needed to end a receive.
   * @param twins Sockets of the same name to send with, which are closed with it.
   */
  constructor(
    conn: DenoDatagramConn,
    openWaker: OpenWaker,
    twins: readonly DenoDatagramConn[] = [],
  ) {
    this.#own = new UnixConn(conn, openWaker);
    this.#sender = new UnixSender(this.#own, new Twins(twins));
  }

  get addr(): TransportAddr {
    return this.#own.conn.addr;
  }

  receive(p: Uint8Array): Promise<[Uint8Array, TransportAddr]> {
    return this.#own.receive(p);
  }

  /**
   * Sends a datagram.
   *
   * @param p The bytes.
   * @param addr The peer.
   * @param limit How long to wait while the peer's queue is full.
   * @param answer Whether it is a server's answer: with no limit it is kept instead of waited for.
   * @throws {BlockingIOError} when the call must not wait, or too many answers are kept.
   * @throws {TimeoutError} after the limit.
   */
  async send(
    p: Uint8Array,
    addr: TransportAddr,
    limit: WaitLimit = null,
    answer = false,
  ): Promise<number> {
    const peer = this.#enter(addr.path ?? "");
    const sending: Sending = { peer, data: p, limit };
    try {
      if (!answer || limit === "now") return await this.#send(sending);
      if (limit === null) return await this.#answer(sending);
      return await this.#answerWithin(sending, limit);
    } finally {
      this.#leave(peer);
    }
  }

  #enter(path: string): UnixPeer {
    let peer = this.#peers.get(path);
    if (peer === undefined) this.#peers.set(path, peer = new UnixPeer(path));
    peer.users++;
    return peer;
  }

  #leave(peer: UnixPeer): void {
    if (--peer.users === 0) this.#peers.delete(peer.path);
  }

  /** Sends in turn, within the limit. */
  async #send(sending: Sending): Promise<number> {
    const { peer: { turns }, limit } = sending;
    if (!turns.tryAcquire()) {
      await this.#wait(
        limit === null ? turns.acquire() : turns.acquireWithin(limit, "sendto"),
        null,
      );
    }
    return await this.#finish(sending, await this.#attempt(sending));
  }

  /** Tries once. Whoever calls it has the turn, and loses it to a failure. */
  async #attempt({ peer, data }: Sending): Promise<Outcome> {
    try {
      return await this.#sender.attempt(data, peer.path);
    } catch (error) {
      peer.turns.release();
      throw error;
    }
  }

  /** Goes on after the first attempt, until the datagram is sent, and gives the turn back. */
  async #finish(sending: Sending, first: Outcome): Promise<number> {
    const { peer, data, limit } = sending;
    let outcome = first;
    try {
      for (let pause = PAUSE_MS; typeof outcome !== "number"; pause *= 2) {
        if (limit === "now") {
          throw osError("EAGAIN", { syscall: "sendto", address: peer.path });
        }
        if (outcome !== "full") {
          outcome = await this.#wait(outcome.sent, limit);
        } else {
          await this.#pause(Math.min(pause, LONGEST_PAUSE_MS), limit);
          outcome = await this.#sender.attempt(data, peer.path);
        }
      }
      return outcome;
    } finally {
      const release = () => peer.turns.release();
      if (typeof outcome === "object") outcome.sent.then(release, release);
      else release();
    }
  }

  async #pause(ms: number, limit: Exclude<WaitLimit, "now">): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    try {
      await this.#wait(promise, limit);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for a promise, until the limit, or until the socket is closed. */
  #wait<T>(promise: Promise<T>, limit: Exclude<WaitLimit, "now">): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        forget();
        limit?.cancel();
      };
      const fail = (error: unknown) => {
        stop();
        reject(error);
      };
      const forget = whenEnded(
        this.#closing.promise,
        () => fail(new Deno.errors.BadResource("the socket was closed")),
      );
      limit?.start(fail);
      promise.then((value) => {
        stop();
        resolve(value);
      }, fail);
    });
  }

  /** Sends at once if it can be done, and keeps the answer otherwise. */
  async #answer(sending: Sending): Promise<number> {
    const { peer, data } = sending;
    if (!peer.turns.tryAcquire()) {
      if (!this.#hasRoom(peer)) throw tooMany(peer);
      const kept = { ...sending, data: data.slice() };
      return this.#keep(kept, this.#send(kept));
    }
    const outcome = await this.#attempt(sending);
    if (outcome === "full" && !this.#hasRoom(peer)) {
      peer.turns.release();
      throw tooMany(peer);
    }
    if (typeof outcome !== "number") {
      const kept = { ...sending, data: data.slice() };
      return this.#keep(kept, this.#finish(kept, outcome));
    }
    peer.turns.release();
    return outcome;
  }

  #hasRoom({ answers }: UnixPeer): boolean {
    return answers < ANSWERS_MAX && this.#answers < ALL_ANSWERS_MAX;
  }

  /** Counts an answer as kept until it is sent, or cannot be. Nobody hears of that. */
  #keep({ peer, data }: Sending, sent: Promise<number>): number {
    peer.users++;
    peer.answers++;
    if (this.#answers++ === 0) this.flushed.tryAcquire();
    const end = () => {
      peer.answers--;
      this.#leave(peer);
      if (--this.#answers === 0) this.flushed.release();
    };
    sent.then(end, end);
    return data.length;
  }

  /** Waits for a peer that did not read in time before only as long as one attempt takes. */
  async #answerWithin(sending: Sending, limit: Timeout): Promise<number> {
    const { path } = sending.peer;
    const deaf = this.#deaf.has(path);
    try {
      const sent = await this.#send(
        deaf ? { ...sending, limit: "now" } : sending,
      );
      this.#deaf.delete(path);
      return sent;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== "EAGAIN" && code !== "ETIMEDOUT") throw error;
      if (this.#deaf.size >= DEAF_MAX) this.#deaf.clear();
      this.#deaf.add(path);
      throw deaf ? limit.error() : error;
    }
  }

  /** Gives the socket back, to whoever closes it. */
  detach(): DenoDatagramConn {
    this.#closing.resolve();
    this.#sender.close();
    return this.#own.detach();
  }

  close(): void {
    this.detach().close();
  }
}
