/**
 * The memory of one direction of a relay.
 *
 * @module
 */

import { BufferPool } from "../base/memory.ts";
import type { Stream } from "./stream.ts";

/** The most bytes of one read. Large reads need fewer calls for the same bytes. */
const LARGE = 262144;

/** How many relays may read into large buffers at the same time: 16 MiB. Arbitrary. */
const LARGE_MAX = 64;

/** How many free buffers are kept. Arbitrary. */
const KEPT_MAX = 8;

/** The bytes of a read after which a direction counts as busy: the size of a slab of `ReceiveMemory`. */
const BUSY = 4096;

/** How many small reads in a row end the use of a large buffer. Arbitrary. */
const SMALL_READS = 4;

const pool = new BufferPool(LARGE, KEPT_MAX);
let lent = 0;

/**
 * Reads the bytes to relay. While a direction is busy, all reads go into one large buffer: the bytes of a read must be
 * sent before the next one. An idle connection has only the small buffer of its socket.
 */
export class RelayBuffer {
  readonly #from: Stream;
  #large: Uint8Array | undefined;
  #smallReads = 0;

  /** @param from The connection to read. */
  constructor(from: Stream) {
    this.#from = from;
  }

  /** Returns the next bytes, which the next call overwrites; empty at the end of the stream. */
  async next(): Promise<Uint8Array> {
    const large = this.#large;
    if (large === undefined) {
      return this.#note(await this.#from.receiveBuffer.recv(LARGE, null));
    }
    const count = await this.#from.receiveBuffer.recvInto(large, null);
    return this.#note(large.subarray(0, count));
  }

  #note(bytes: Uint8Array): Uint8Array {
    if (bytes.length >= BUSY) {
      this.#smallReads = 0;
      if (this.#large === undefined && lent < LARGE_MAX) {
        lent++;
        this.#large = pool.take();
      }
    } else if (
      this.#large !== undefined && ++this.#smallReads === SMALL_READS
    ) {
      this.drop(); // `bytes` are in it
    }
    return bytes;
  }

  /** Returns the large buffer. */
  release(): void {
    if (this.#large !== undefined) pool.give(this.#large);
    this.drop();
  }

  /** Forgets the large buffer, which a read or a write in flight may still use. */
  drop(): void {
    if (this.#large !== undefined) lent--;
    this.#large = undefined;
  }
}
