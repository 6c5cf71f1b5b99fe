/**
 * The pending writes of a writer: counts them, keeps their failures, and lets the close wait for them.
 *
 * @module
 */

import { begun, quiet } from "../waiting/promises.ts";
import { closedFileError } from "./read_errors.ts";
import type { ByteSink } from "./raw_streams.ts";
import { recycle } from "./writer_core.ts";

/** Options of {@linkcode PendingWrites.send}. */
export interface SendOptions {
  /** Whether the writes have succeeded already, so that the next write throws a failure. */
  accepted?: boolean;
  /** The memory of the bytes, if it can be recycled once they are sent. */
  memory?: Uint8Array;
}

/** A failure, which may be any value. */
interface FailedWrite {
  readonly error: unknown;
}

/** Sends writes and keeps the first failure for the next flush. */
export class PendingWrites {
  readonly #sink: ByteSink;
  readonly #onClose: (() => void) | undefined;
  #pending = 0;
  #pendingBytes = 0;
  /** The first failure since the last flush, which the next flush throws. */
  #failure: FailedWrite | undefined;
  /** The failure to send bytes whose write had succeeded already. The next write throws it too. */
  #unreported: FailedWrite | undefined;
  #drained: PromiseWithResolvers<void> | undefined;
  #closing: Promise<void> | undefined;

  /**
   * @param sink The destination of the bytes.
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

  /** The number of bytes being sent. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Throws unless the writer is open. */
  checkOpen(): void {
    if (this.closed) throw closedFileError("write");
  }

  /** Whether the next write fails, with {@linkcode PendingWrites.reject}. */
  get rejects(): boolean {
    return this.#closing !== undefined || this.#unreported !== undefined;
  }

  /** Rejects a write to a closed writer, or after an unreported failure. */
  reject(): Promise<never> {
    const error = this.closed
      ? closedFileError("write")
      : this.#unreported?.error;
    this.#unreported = undefined;
    return quiet(Promise.reject(error));
  }

  /**
   * Sends `bytes`. The promise may go unawaited.
   *
   * @param bytes The bytes.
   * @param count The value that the promise resolves to.
   * @param options The memory of the bytes, and whether their write has succeeded already.
   */
  send(
    bytes: Uint8Array,
    count: number,
    options: SendOptions = {},
  ): Promise<number> {
    const { accepted, memory } = options;
    const sent = begun(() => this.#sink.sendall(bytes));
    const { length } = bytes; // a buffer may be transferred meanwhile
    this.#pending++;
    this.#pendingBytes += length;
    const result: Promise<number> = sent.then(() => {
      if (memory !== undefined) recycle(memory);
      this.#settle(length);
      return count;
    }, (error) => {
      quiet(result); // only if it fails, so that success makes one promise and not two
      this.#failure ??= { error };
      if (accepted) this.#unreported ??= { error };
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

  /** Resolves to `count` when no write is pending, however the writes ended. */
  async settled(count: number): Promise<number> {
    if (this.#pending > 0) {
      this.#drained ??= Promise.withResolvers<void>();
      await this.#drained.promise;
    }
    return count;
  }

  /** Waits until no write is pending, and throws the first failure since the last call. */
  async drain(): Promise<void> {
    await this.settled(0);
    const failure = this.#failure;
    this.#failure = this.#unreported = undefined;
    if (failure !== undefined) throw failure.error;
  }

  /** Closes the writer once `flush` has ended. Only the first call throws its failure. */
  close(flush: () => Promise<void>): Promise<void> {
    if (this.#closing !== undefined) return this.#closing.catch(() => {});
    const flushed = flush();
    return this.#closing = quiet(flushed.finally(() => this.#onClose?.()));
  }
}
