/**
 * A ring buffer of frames in shared memory, with one producer thread and one consumer thread.
 *
 * @module
 */

/** The size of the control block in bytes: two counters and a flag, each on a cache line (64 bytes) of its own. */
const CONTROL_BYTES = 192;
const HEAD = 0;
const TAIL = 16;
const WANTED = 32;

/** The size of a frame's header in bytes: type and length in one word, the id in the next. */
const HEADER = 8;

/** The type of a frame that fills the rest of the memory before its end. */
const PAD = 0;

/** The longest payload in bytes: the most that 24 bits hold. */
const LENGTH_MAX = 0xffffff;

function padded(length: number): number {
  return HEADER + ((length + 7) & ~7);
}

/** Allocates the memory of a ring. */
export function ringMemory(capacity: number): SharedArrayBuffer {
  return new SharedArrayBuffer(CONTROL_BYTES + capacity);
}

/**
 * One end of a ring. Each of the two threads has a `Ring` of its own over the same memory.
 *
 * A frame has a type from 1 to 255, an id, and a payload, which the end of the memory never splits. The counters grow
 * and wrap as 32 bit integers; their low bits are the position in the memory.
 */
export class Ring {
  readonly #control: Int32Array;
  readonly #words: Int32Array;
  /** The memory of the frames. */
  readonly bytes: Uint8Array;
  /** The size of the memory of the frames in bytes. */
  readonly capacity: number;
  /** The position of this end: the next frame to write, or to read. */
  #at: number;
  /** The position of the other end when this end last loaded it. */
  #other: number;

  /** The type of the frame that {@linkcode Ring.next} found. */
  type = 0;
  /** The id of that frame. */
  id = 0;
  /** The start of that frame's payload. */
  start = 0;
  /** The end of that frame's payload. */
  end = 0;

  /**
   * @param memory From {@linkcode ringMemory}; the capacity is a power of two.
   * @param side The end of this thread.
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
   * Producer: finds room for a payload. If there is none, sets the flag that asks the consumer to report room.
   *
   * @param length The length in bytes, at most half the capacity less a header.
   * @returns Whether there is room.
   */
  reserve(length: number): boolean {
    if (this.#fits(length)) return true;
    this.#other = Atomics.load(this.#control, HEAD);
    if (this.#fits(length)) return true;
    Atomics.store(this.#control, WANTED, 1);
    this.#other = Atomics.load(this.#control, HEAD); // the consumer may have moved before it saw the flag
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

  /** Producer: writes a frame for which `reserve` has found room. */
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

  /** Producer: writes a frame. Returns false if there is no room. */
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

  /** Consumer: whether no frame is there. */
  get empty(): boolean {
    if (this.#at !== this.#other) return false;
    this.#other = Atomics.load(this.#control, TAIL);
    return this.#at === this.#other;
  }

  /** Consumer: goes to the next frame. Returns false if there is none. */
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

  /** Consumer: gives the memory of the frame back to the producer. */
  free(): void {
    this.#at = (this.#at + padded(this.end - this.start)) | 0;
    Atomics.store(this.#control, HEAD, this.#at);
  }

  /** Consumer: reports whether the producer waits for room, and clears the flag. */
  takeWanted(): boolean {
    return Atomics.load(this.#control, WANTED) === 1 &&
      Atomics.exchange(this.#control, WANTED, 0) === 1;
  }
}
