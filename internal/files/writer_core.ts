/**
 * What a writer of bytes does, without how it sends: what it collects, and when that is to be sent. Its shells, for
 * `await` and for blocking, only send what the core hands over.
 *
 * @module
 */

import { BufferPool } from "../base/memory.ts";
import { checkCount } from "./file_arguments.ts";
import type { Tied } from "./raw_streams.ts";

/** The buffer if no size is given: `io.DEFAULT_BUFFER_SIZE` of CPython, up to 3.13. */
const DEFAULT_BUFFER_SIZE = 8192;

/**
 * How much an unbuffered writer holds: as much as a buffer collects by default. What is beyond it waits until
 * it is sent, so that a client that does not read the answers is not asked for more.
 */
const HELD_MAX = DEFAULT_BUFFER_SIZE;

/**
 * The memory in which writers collect.
 *
 * A writer has a block only from the first byte that waits until all are sent, so that few blocks serve many
 * connections. A new one for each answer would cost more than sending the answer from where it is: what a
 * buffered `wfile` spent on a line fell from 1.2 to 0.6 microseconds.
 *
 * 2 KiB, some answers of usual length; a longer buffer has memory of its own. 64 are kept, as many as
 * busy connections have. Both arbitrary.
 */
const pool = new BufferPool(2048, 64);

const NOTHING = new Uint8Array(0);

/**
 * Options of a {@linkcode BufferedWriter}.
 *
 * @category Files
 */
export interface BufferedWriterOptions {
  /**
   * The number of bytes collected before they are sent; 0 sends each write at once; -1 is the default.
   *
   * @default {8192}
   */
  bufferSize?: number;
  /** Called once, when the writer is closed. */
  onClose?: () => void;
  /**
   * Called when a writer without a buffer begins to hold bytes because a reader tied to it has more. The held bytes
   * go before anything sent on the sink from then on: call the writer's `sendHeld` before you send.
   */
  onHold?: (writer: Tied) => void;
}

/** The bytes that a writer has collected. */
export class WriterCore {
  /** How many bytes the writer collects; 0 without a buffer. */
  readonly bufferSize: number;
  /** Reports whether the reader tied to a writer without a buffer has more, so that small writes can wait. */
  readerHasMore: (() => boolean) | undefined;
  /** The number of bytes collected. */
  length = 0;
  #buffer: Uint8Array = NOTHING;

  /** @param options The size. */
  constructor({ bufferSize = -1 }: BufferedWriterOptions) {
    checkCount(bufferSize, "Cannot open a writer: bufferSize", true);
    this.bufferSize = bufferSize < 0 ? DEFAULT_BUFFER_SIZE : bufferSize;
  }

  /** How many bytes may be collected now. */
  capacity(): number {
    return this.bufferSize || (this.readerHasMore?.() ? HELD_MAX : 0);
  }

  /** Reports whether `count` bytes can go out together with those held, if no more may be held. */
  joinsHeld(count: number): boolean {
    return this.length > 0 && this.length + count <= HELD_MAX;
  }

  /** Collects a copy of `bytes`. */
  collect(bytes: Uint8Array): void {
    const length = this.length + bytes.length;
    if (length > this.#buffer.length) this.#grow(length);
    this.#buffer.set(bytes, this.length);
    this.length = length;
  }

  #grow(length: number): void {
    const old = this.#buffer;
    this.#buffer = length <= pool.size
      ? pool.take()
      : new Uint8Array(Math.max(length, 2 * old.length));
    this.#buffer.set(old.subarray(0, this.length));
    pool.give(old);
  }

  /** Hands over the memory in which bytes were collected, whose first {@linkcode length} they are. */
  takeBuffer(): Uint8Array {
    const buffer = this.#buffer;
    this.#buffer = NOTHING;
    this.length = 0;
    return buffer;
  }
}

/** Takes memory back when the bytes in it are sent. */
export function recycle(buffer: Uint8Array): void {
  pool.give(buffer);
}
