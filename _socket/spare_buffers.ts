/**
 * Buffers that pass from one connection to the next.
 *
 * @module
 */

/** Buffers of one size, of which some are kept for whoever needs one next: a new one costs more. */
export class SpareBuffers {
  readonly #spare: Uint8Array[] = [];
  readonly #max: number;
  /** The bytes of each. */
  readonly size: number;

  /**
   * @param size The bytes of each.
   * @param max How many are kept at most.
   */
  constructor(size: number, max: number) {
    this.size = size;
    this.#max = max;
  }

  /** A buffer, with anything in it. */
  take(): Uint8Array {
    return this.#spare.pop() ?? new Uint8Array(this.size);
  }

  /** Takes one back of which nobody has a view any more; one of another size is dropped. */
  give(buffer: Uint8Array): void {
    if (buffer.length === this.size && this.#spare.length < this.#max) {
      this.#spare.push(buffer);
    }
  }
}
