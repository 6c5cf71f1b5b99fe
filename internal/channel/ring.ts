/**
 * A ring of bytes in shared memory, from one thread that writes to one that reads.
 *
 * @module
 */

/** The bytes in front of the data: two counters and a flag, on cache lines of their own (64 bytes). */
const CONTROL_BYTES = 192;
const HEAD = 0;
const TAIL = 16;
const WANTED = 32;

/** The bytes in front of a frame's payload: its type and length in one word, its id in the next. */
const HEADER = 8;

/** The type of a frame that only fills what is left before the end of the memory. */
const PAD = 0;

/** The longest payload: what 24 bits hold. */
const LENGTH_MAX = 0xffffff;

function padded(length: number): number {
  return HEADER + ((length + 7) & ~7);
}

/** Memory for a ring. */
export function ringMemory(capacity: number): SharedArrayBuffer {
  return new SharedArrayBuffer(CONTROL_BYTES + capacity);
}

/**
 * One end of a ring; the thread at each end has an object of its own over the same memory.
 *
 * What passes are frames: a type from 1 to 255, an id, and a payload, which is never split by the end of the
 * memory. The counters run on and wrap as 32 bit integers; where they stand in the memory say their low bits.
 */
export class Ring {
  readonly #control: Int32Array;
  readonly #words: Int32Array;
  /** The memory of the frames. */
  readonly bytes: Uint8Array;
  /** How many bytes there are for frames. */
  readonly capacity: number;
  /** Where this end stands: the producer's next frame, or the consumer's. */
  #at: number;
  /** Where the other end stood when it was last looked at. */
  #other: number;

  /** The type of the frame that {@linkcode Ring.next} found. */
  type = 0;
  /** Its id. */
  id = 0;
  /** Where its payload begins. */
  start = 0;
  /** Where its payload ends. */
  end = 0;

  /**
   * @param memory From {@linkcode ringMemory}; the capacity is a power of two.
   * @param side Which end.
   */
  constructor(memory: SharedArrayBuffer, side: "producer" | "consumer") {
    this.capacity = memory.byteLength - CONTROL_BYTES;
    this.#control = new Int32Array(memory, 0, CONTROL_BYTES / 4);
    this.#words = new Int32Array(memory, CONTROL_BYTES);
    this.bytes = new Uint8Array(memory, CONTROL_BYTES);
    const [mine, other] = side === "producer" ? [TAIL, HEAD] : [HEAD, TAIL];
    this.#at = Atomics.load(this.#control, mine);
    this.#other = Atomics.load(this.#control, other);
  }

  /**
   * Producer: finds room for a payload.
   *
   * @param length How many bytes, at most half the capacity less a header.
   * @returns Whether there is room. Where there is none the consumer learns that it is waited for.
   */
  reserve(length: number): boolean {
    if (this.#fits(length)) return true;
    this.#other = Atomics.load(this.#control, HEAD);
    if (this.#fits(length)) return true;
    Atomics.store(this.#control, WANTED, 1);
    this.#other = Atomics.load(this.#control, HEAD); // it may have moved before it could see the flag
    return this.#fits(length);
  }

  #fits(length: number): boolean {
    const free = this.capacity - ((this.#at - this.#other) | 0);
    const start = this.#at & (this.capacity - 1);
    const toEnd = this.capacity - start;
    const needed = padded(length);
    if (needed <= toEnd) return needed <= free;
    if (toEnd + needed > free) return false;
    this.#words[start >> 2] = (toEnd - HEADER) << 8 | PAD;
    this.#at = (this.#at + toEnd) | 0;
    return true;
  }

  /** Producer: gives a frame to the consumer, for whose payload there is room. */
  put(type: number, id: number, payload: Uint8Array): void {
    const { length } = payload;
    const start = this.#at & (this.capacity - 1);
    const word = start >> 2;
    this.#words[word] = length << 8 | type;
    this.#words[word + 1] = id;
    if (length > 0) this.bytes.set(payload, start + HEADER);
    this.#at = (this.#at + padded(length)) | 0;
    Atomics.store(this.#control, TAIL, this.#at);
  }

  /** Producer: writes a frame; false where there is no room. */
  write(type: number, id: number, payload: Uint8Array): boolean {
    const { length } = payload;
    if (length > LENGTH_MAX || padded(length) > this.capacity / 2) {
      throw new RangeError(
        `Cannot write a frame: ${length} bytes are too many for a ring of ${this.capacity}`,
      );
    }
    if (!this.reserve(length)) return false;
    this.put(type, id, payload);
    return true;
  }

  /** Consumer: whether there is no frame. */
  get empty(): boolean {
    if (this.#at !== this.#other) return false;
    this.#other = Atomics.load(this.#control, TAIL);
    return this.#at === this.#other;
  }

  /** Consumer: goes to the next frame; false where there is none. */
  next(): boolean {
    while (!this.empty) {
      const at = this.#at & (this.capacity - 1);
      const word = this.#words[at >> 2];
      this.type = word & 0xff;
      this.start = at + HEADER;
      this.end = this.start + (word >>> 8);
      if (this.type !== PAD) {
        this.id = this.#words[(at >> 2) + 1];
        return true;
      }
      this.free();
    }
    return false;
  }

  /** Consumer: is done with the frame; its memory goes back to the producer. */
  free(): void {
    this.#at = (this.#at + padded(this.end - this.start)) | 0;
    Atomics.store(this.#control, HEAD, this.#at);
  }

  /** Consumer: whether the producer waits for room; asking clears it. */
  takeWanted(): boolean {
    return Atomics.load(this.#control, WANTED) === 1 &&
      Atomics.exchange(this.#control, WANTED, 0) === 1;
  }
}
