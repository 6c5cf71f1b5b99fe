/**
 * A connected stream socket.
 *
 * @module
 */

import { setUnrefTimeout, type WaitLimit } from "../waiting/timeouts.ts";
import { turnUntil } from "../waiting/turns.ts";
import { whenReady } from "../waiting/when_ready.ts";
import type { OSError } from "../base/errors.ts";
import { osError, translate } from "../base/translate_error.ts";
import { ReceiveBuffer } from "./receive_buffer.ts";
import {
  abortTransport,
  closesAtOnce,
  closeWriteWithin,
  releaseTransport,
  type StreamTransport,
} from "../runtime/transport/transport.ts";
import type { Tied } from "../files/raw_streams.ts";
import { isResettable, resetConn } from "../runtime/deno/tcp_reset.ts";
import { SendQueue } from "./send_queue.ts";

/**
 * The time in ms for which `close()` goes on sending accepted bytes in the background. The kernel does so with its own
 * buffer for minutes (tcp_orphan_retries). Arbitrary.
 */
export const LINGER_MS = 30_000;

/** The numbers of bytes that a connection has received and sent. */
export interface ByteCounts {
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** The counts of a socket that was never connected. */
export const NO_BYTES: ByteCounts = { bytesIn: 0, bytesOut: 0 };

/** Both halves of a connection. Owns the transport and closes it. */
export class Stream implements ByteCounts {
  /** The transport. */
  readonly transport: StreamTransport;
  /** The reading half. */
  readonly receiveBuffer: ReceiveBuffer;
  #sendQueue: SendQueue | undefined;
  /** Whether a write is in flight that the queue does not know: a relay to a worker writes to the transport itself. */
  writingPastQueue = false;
  #writeEnded = false;
  #flushed: Promise<void> | undefined;
  #holder: Tied | undefined;

  /** @param transport The transport to own. */
  constructor(transport: StreamTransport) {
    this.transport = transport;
    this.receiveBuffer = new ReceiveBuffer(transport);
  }

  /** The writing half; made when it is first used, since an idle connection that only reads needs none: 120 bytes. */
  get sendQueue(): SendQueue {
    return this.#sendQueue ??= new SendQueue(this.transport);
  }

  /** The number of bytes received, also those that no call has taken. */
  get bytesIn(): number {
    return this.receiveBuffer.bytesIn;
  }

  /** The number of bytes sent. */
  get bytesOut(): number {
    return this.#sendQueue?.bytesOut ?? 0;
  }

  /** Continues the byte counts of the stream that this one replaces, when TLS begins or ends. */
  continueCounts({ bytesIn, bytesOut }: ByteCounts): void {
    this.receiveBuffer.bytesIn = bytesIn;
    if (bytesOut > 0) this.sendQueue.bytesOut = bytesOut;
  }

  /** Whether bytes are being sent. */
  get writing(): boolean {
    return this.writingPastQueue || this.#sendQueue?.ready === false;
  }

  /** Whether a detach would lose data or a call in flight. */
  get busy(): boolean {
    return this.receiveBuffer.reading || this.receiveBuffer.available > 0 ||
      this.#sendQueue?.ready === false || this.#holder !== undefined;
  }

  /** Registers a file whose held bytes must be sent before later ones. */
  hold(holder: Tied): void {
    this.sendHeld();
    this.#holder = holder;
  }

  /** Begins to send the bytes that a file holds back. */
  sendHeld(): void {
    const holder = this.#holder;
    this.#holder = undefined;
    holder?.sendHeld();
  }

  /** Sends all of `data`, or the start of it if the call has a timeout; see {@linkcode SendQueue.send}. */
  send(data: Uint8Array, limit: WaitLimit): Promise<number> {
    this.#checkWrite("send");
    return this.sendQueue.send(data, limit);
  }

  /** Sends all of `data`; see {@linkcode SendQueue.sendall}. */
  sendall(data: Uint8Array, limit: WaitLimit): Promise<void> {
    this.#checkWrite("sendall");
    return this.sendQueue.sendall(data, limit);
  }

  /**
   * Sends many pieces, with no other call's bytes between them.
   *
   * @param limit Returns the limit of the wait for the turn, and of each piece.
   * @param use Sends the pieces with the given function.
   */
  async sendTogether<T>(
    limit: () => WaitLimit,
    use: (send: (data: Uint8Array) => Promise<void>) => Promise<T>,
  ): Promise<T> {
    this.#checkWrite("send");
    return await this.sendQueue.together(
      limit(),
      (own) => use((data) => own.sendall(data, limit())),
    );
  }

  #checkWrite(syscall: string): void {
    if (this.#holder !== undefined) this.sendHeld();
    if (this.#writeEnded) {
      throw osError("EPIPE", { syscall, reason: "shut down for writing" });
    }
  }

  /**
   * Ends the writing half after all accepted bytes.
   *
   * @param limit The limit of the call.
   * @param closing The limit of the close itself, if `limit` is null.
   */
  async endWrite(
    limit: WaitLimit,
    closing: () => WaitLimit = () => null,
  ): Promise<void> {
    if (this.#writeEnded) return;
    this.sendHeld();
    this.#writeEnded = true;
    const { busy, stuck } = this.sendQueue;
    try {
      if (stuck) {
        const reason = "a send was given up before";
        throw osError("ETIMEDOUT", { syscall: "shutdown", reason });
      }
      if (busy) await whenReady(this.sendQueue, limit, "shutdown", () => {});
      const { transport } = this;
      await (closesAtOnce(transport)
        ? transport.closeWrite()
        : closeWriteWithin(transport, limit ?? closing()));
    } catch (error) {
      this.#writeEnded = false; // it may be tried again
      throw translate(error, { syscall: "shutdown" });
    }
  }

  /** Lets the calls under way throw `failure` once the stream is closed. */
  fail(failure: OSError): void {
    this.receiveBuffer.failure = failure;
    this.sendQueue.failure = failure;
  }

  /** Closes. Accepted bytes go out first, in the background. */
  close(): void {
    this.receiveBuffer.close();
    if (!this.sendQueue.busy) return releaseTransport(this.transport);
    const timer = setUnrefTimeout(() => this.abort(), LINGER_MS);
    this.#flushed = this.sendQueue.flush().catch(() => {}).then(() => {
      clearTimeout(timer);
      releaseTransport(this.transport);
    });
  }

  /** Resolves when a closed stream has sent all accepted bytes; undefined if it had none to send. */
  get flushed(): Promise<void> | undefined {
    return this.#flushed;
  }

  /** Resolves when a closed stream has sent all accepted bytes and no call is in flight. */
  async released(): Promise<void> {
    await this.#flushed;
    await this.#readEnded();
  }

  /** Waits for the end of the read in flight, of a closed stream, and reports whether it has ended. */
  #readEnded(): Promise<boolean> {
    return turnUntil(() => !this.receiveBuffer.reading);
  }

  /** Closes at once. Bytes that are not sent yet are dropped, and a TCP peer that waits for more sees a reset. */
  abort(): void {
    this.receiveBuffer.close();
    const { transport } = this;
    if (this.#writeEnded || this.writing || !isResettable(transport)) {
      return releaseTransport(transport, abortTransport);
    }
    this.#flushed = resetConn(transport, () => this.#readEnded());
  }
}
