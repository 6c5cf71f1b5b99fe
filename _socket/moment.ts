/**
 * When calls begin, without reading the clock for each.
 *
 * @module
 */

let current: Moment | undefined;

/**
 * The moment at which a call begins: the one that is current, which all calls share that begin in one run
 * of the microtask queue. Its time is read when that run ends, or sooner where somebody asks for it: never
 * before the call has begun, so that no timeout runs out too early.
 */
export class Moment {
  #time = NaN;

  /** The moment of a call that begins now. */
  static current(): Moment {
    if (current === undefined) {
      current = new Moment();
      queueMicrotask(Moment.#end);
    }
    return current;
  }

  static #end(this: void): void {
    if (current === undefined) return;
    current.#time = performance.now();
    current = undefined;
  }

  /** Milliseconds on the clock of `performance.now()`. */
  get time(): number {
    if (this === current) Moment.#end();
    return this.#time;
  }
}
