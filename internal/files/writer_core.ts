/**
 * The logic of a writer of bytes without its I/O: collects bytes, and decides when to send them. The two
 * shells, async and blocking, only send.
 *
 * @module
 */

import { BufferPool } from "../base/memory.ts";
import { checkCount } from "./file_arguments.ts";
import type { Tied } from "./raw_streams.ts";

/** The default size of the buffer: `io.DEFAULT_BUFFER_SIZE` of CPython, up to 3.13. */
const DEFAULT_BUFFER_SIZE = 8192;

/**
 * The most bytes that an unbuffered writer holds, as many as a buffer collects by default. Further writes wait for the
 * send, so that a handler reads no more requests of a client that does not read the answers.
 */
const HELD_MAX = DEFAULT_BUFFER_SIZE;

/**
 * The memory in which writers collect.
 *
 * A writer has a block only while it collects or sends, so few blocks serve many connections. A pooled block halves the
 * cost of a line in a buffered `wfile`, from 1.2 to 0.6 microseconds.
 *
 * A block has 2 KiB, enough for a few answers; a longer buffer has memory of its own. The pool keeps 64 blocks. Both
 * numbers are arbitrary.
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
  /** The most bytes that the writer collects; 0 without a buffer. */
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

  /** Returns the most bytes that the writer may collect now. */
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
