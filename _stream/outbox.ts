/**
 * The state that writers share: what is being sent, what failed, and the close.
 *
 * @module
 */

import { quiet } from "../_socket/quiet.ts";
import type { ByteSink } from "./types.ts";

/** Sends, and remembers the first failure for whoever flushes. */
export class Outbox {
  readonly #sink: ByteSink;
  readonly #onClose: (() => void) | undefined;
  #pending = 0;
  #pendingBytes = 0;
  #failure: { error: unknown } | undefined;
  #drained: PromiseWithResolvers<void> | undefined;
  #closing: Promise<void> | undefined;

  /**
   * @param sink What to send with.
   * @param onClose Called once, when the writer is closed.
   */
  constructor(sink: ByteSink, onClose: (() => void) | undefined) {
    this.#sink = sink;
    this.#onClose = onClose;
  }

  /** Whether the writer is closed. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** How many bytes are being sent. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Throws unless the writer is open. */
  checkOpen(): void {
    if (this.closed) throw new TypeError("Cannot write: write to closed file");
  }

  /** The rejection of a write to a closed writer. */
  refuse(): Promise<never> {
    return quiet(
      Promise.reject(new TypeError("Cannot write: write to closed file")),
    );
  }

  /**
   * Sends `bytes`; the promise can go unawaited.
   *
   * @param bytes What to send.
   * @param count What the promise resolves to.
   */
  send(bytes: Uint8Array, count: number): Promise<number> {
    const sent = this.#sink.sendall(bytes);
    const { length } = bytes; // a buffer may be transferred meanwhile
    this.#pending++;
    this.#pendingBytes += length;
    const result: Promise<number> = sent.then(() => {
      this.#settle(length);
      return count;
    }, (error) => {
      result.catch(() => {}); // only where it fails: success makes one promise, not two
      this.#failure ??= { error };
      this.#settle(length);
      throw error;
    });
    return result;
  }

  #settle(length: number): void {
    this.#pendingBytes -= length;
    if (--this.#pending > 0) return;
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  /** Waits until nothing is pending, and throws the first failure since the last call. */
  async drain(): Promise<void> {
    if (this.#pending > 0) {
      this.#drained ??= Promise.withResolvers<void>();
      await this.#drained.promise;
    }
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
  }

  /** Closes the writer when `flush` has ended; only the first call reports how. */
  close(flush: () => Promise<void>): Promise<void> {
    if (this.#closing !== undefined) return this.#closing.catch(() => {});
    const flushed = flush();
    return this.#closing = quiet(flushed.finally(() => this.#onClose?.()));
  }
}
