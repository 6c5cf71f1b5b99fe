/**
 * The two directions of a relay, and the memory of each.
 *
 * @module
 */

import { BufferPool } from "../base/memory.ts";
import { resolvesWithin } from "../waiting/promises.ts";
import { nextTurn } from "../waiting/turns.ts";
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
class RelayBuffer {
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

/**
 * How long a relay waits for a write in flight, in milliseconds: after a failure, because the connection cannot be reset
 * meanwhile, and at an end, because a reset may be behind it. Arbitrary; a client that reads at all makes room sooner.
 */
const LAST_WRITE_MS = 1000;

/**
 * The times that a direction waits for a write to the same peer, and for a turn of the event loop, before it passes the
 * end on. Arbitrary.
 */
const END_ROUNDS = 4;

/** One direction of a relay. */
export class Direction {
  readonly #from: Stream;
  readonly #to: Stream;
  readonly #onBytes: () => void;
  #writing: Promise<void> | undefined;
  #stopped = false;
  /** The other direction of the relay. */
  opposite: Direction | undefined;

  /**
   * @param from The connection to read.
   * @param to The connection to write to.
   * @param onBytes Called when bytes have come, and when they are sent.
   */
  constructor(from: Stream, to: Stream, onBytes: () => void) {
    this.#from = from;
    this.#to = to;
    this.#onBytes = onBytes;
  }

  /** Passes on all bytes, and then the end. Returns the number of bytes. */
  async copy(): Promise<number> {
    const buffer = new RelayBuffer(this.#from);
    let total = 0;
    try {
      for (;;) {
        const bytes = await buffer.next();
        if (bytes.length === 0 || this.#stopped) break;
        this.#onBytes();
        await (this.#writing = this.#to.sendall(bytes, null));
        this.#writing = undefined;
        this.#onBytes();
        total += bytes.length;
      }
      buffer.release();
    } finally {
      buffer.drop();
    }
    await this.#endSettled();
    if (!this.#stopped) await this.#to.endWrite(null);
    return total;
  }

  /**
   * Waits until a reset behind the end would have shown. A read reports such a reset as an ordinary end; only a write
   * to the same peer fails, some turns later below TLS or in a worker or child.
   */
  async #endSettled(): Promise<void> {
    const until = performance.now() + LAST_WRITE_MS;
    for (let round = 0; round < END_ROUNDS; round++) {
      await this.opposite?.lastWrite();
      await nextTurn();
      if (performance.now() > until) return;
    }
  }

  /** Passes nothing more on, not even the end. */
  stop(): void {
    this.#stopped = true;
  }

  /** Waits for the end of the write in flight, but not for a peer that reads nothing. */
  async lastWrite(): Promise<void> {
    if (this.#writing === undefined) return;
    await resolvesWithin(this.#writing.catch(() => {}), LAST_WRITE_MS);
  }
}

/** Returns the two directions between two streams. Each knows the other. */
export function directions(
  [a, b]: Stream[],
  onBytes: () => void,
): [up: Direction, down: Direction] {
  const up = new Direction(a, b, onBytes);
  const down = new Direction(b, a, onBytes);
  up.opposite = down;
  down.opposite = up;
  return [up, down];
}
