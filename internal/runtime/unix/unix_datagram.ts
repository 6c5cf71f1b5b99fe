/**
 * Unix datagrams over `Deno.listenDatagram`, which receive and send at the same time, and whose sends have a limit.
 *
 * @module
 */

import { OSError } from "../../base/errors.ts";
import { osError } from "../../base/translate_error.ts";
import { Mutex } from "../../waiting/mutex.ts";
import { whenEnded } from "../../waiting/pending_operation.ts";
import type { Cancellation, WaitLimit } from "../../waiting/timeouts.ts";
import type {
  BoundedDatagramTransport,
  TransportAddr,
} from "../transport/transport.ts";
import type { DenoDatagramConn } from "../deno/deno_datagram.ts";
import { InterruptibleConn, type OpenWaker } from "./interruptible_conn.ts";
import { SendSockets } from "./unix_send_sockets.ts";
import { type Outcome, UnixSender } from "./unix_sender.ts";

/**
 * The first and the longest pause, in ms, before another attempt to send to a full peer. An attempt takes 0.1 ms.
 * Arbitrary.
 */
const PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 100;

/** The most answers that are kept for one peer, and for all peers together. Arbitrary. */
const ANSWERS_MAX = 64;
const ALL_ANSWERS_MAX = 1024;

/** The number of remembered peers that did not read in time. Arbitrary. */
const DEAF_MAX = 1024;

/** A peer that datagrams are sent to, one after the other. */
class UnixPeer {
  readonly turns: Mutex = new Mutex();
  /** The number of sends that are in progress or wait. */
  users = 0;
  /** The number of kept answers among them. */
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

/** A datagram on its way, with its peer and its limit. */
interface Sending {
  readonly peer: UnixPeer;
  readonly data: Uint8Array;
  readonly limit: WaitLimit;
}

/**
 * Sends to each peer in the order of the calls. If the queue of a peer is full, tries again until the limit of the
 * call, because Deno (2.9.6) would try for ever. Other peers are not delayed.
 *
 * The answer of a server does not wait: if the queue of the peer is full, the answer is kept and sent later, up to
 * {@linkcode ANSWERS_MAX} answers for each peer.
 */
export class UnixDatagram implements BoundedDatagramTransport {
  readonly bounded = true;
  /** Locked while answers are kept. */
  readonly flushed: Mutex = new Mutex();
  readonly #own: InterruptibleConn;
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
   * @param sendSockets Sockets of the same name to send with. They are closed with the socket.
   */
  constructor(
    conn: DenoDatagramConn,
    openWaker: OpenWaker,
    sendSockets: readonly DenoDatagramConn[] = [],
  ) {
    this.#own = new InterruptibleConn(conn, openWaker);
    this.#sender = new UnixSender(this.#own, new SendSockets(sendSockets));
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
   * @param limit The time to wait while the queue of the peer is full.
   * @param answer Whether the datagram is a server's answer, which is kept if there is no limit.
   * @throws {BlockingIOError} if the call must not wait, or too many answers are kept.
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

  /** Makes one attempt. The caller has the turn. A failure ends the turn. */
  async #attempt({ peer, data }: Sending): Promise<Outcome> {
    try {
      return await this.#sender.attempt(data, peer.path);
    } catch (error) {
      peer.turns.release();
      throw error;
    }
  }

  /** Repeats the attempt until the datagram is sent, and ends the turn. */
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

  /** Waits for a promise, at most until the limit, or until the socket is closed. */
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

  /** Sends an answer at once if possible, and keeps it otherwise. */
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

  /** Counts an answer as kept until its send has ended. A failure is dropped: the call has returned already. */
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

  /** Sends an answer within a limit. If the peer has not read in time before, makes one attempt only. */
  async #answerWithin(sending: Sending, limit: Cancellation): Promise<number> {
    const { path } = sending.peer;
    const deaf = this.#deaf.has(path);
    try {
      const sent = await this.#send(
        deaf ? { ...sending, limit: "now" } : sending,
      );
      this.#deaf.delete(path);
      return sent;
    } catch (error) {
      if (!(error instanceof OSError)) throw error; // an abort says nothing about the peer
      const { code } = error;
      if (code !== "EAGAIN" && code !== "ETIMEDOUT") throw error;
      if (this.#deaf.size >= DEAF_MAX) this.#deaf.clear();
      this.#deaf.add(path);
      throw deaf ? limit.error() : error;
    }
  }

  /** Returns the socket to the caller, who closes it. */
  detach(): DenoDatagramConn {
    this.#closing.resolve();
    this.#sender.close();
    return this.#own.detach();
  }

  close(): void {
    this.detach().close();
  }
}
