/**
 * A queue of any length.
 *
 * @module
 */

/** One element and its neighbours. */
interface Place<T> {
  readonly value: T;
  before: Place<T> | undefined;
  behind: Place<T> | undefined;
  gone: boolean;
}

/**
 * A first-in-first-out queue whose elements can also leave from the middle. Each operation takes the same time,
 * whatever the length; `shift()` of an array moves all other elements once there are about 50,000.
 *
 * @typeParam T The element.
 */
export class Queue<T> {
  #first: Place<T> | undefined;
  #last: Place<T> | undefined;

  /**
   * Adds an element at the end, and returns a function that removes it.
   *
   * @returns A function that removes the element. It returns false if the element has left the queue already.
   */
  push(value: T): () => boolean {
    const before = this.#last;
    const place: Place<T> = { value, before, behind: undefined, gone: false };
    if (before === undefined) this.#first = place;
    else before.behind = place;
    this.#last = place;
    return () => this.#remove(place);
  }

  /** The first element; undefined if there is none. */
  get first(): T | undefined {
    return this.#first?.value;
  }

  /** Iterates over the elements. */
  *[Symbol.iterator](): Generator<T> {
    for (let at = this.#first; at !== undefined; at = at.behind) yield at.value;
  }

  /** Removes and returns the first element; undefined if there is none. */
  shift(): T | undefined {
    const first = this.#first;
    if (first !== undefined) this.#remove(first);
    return first?.value;
  }

  #remove(place: Place<T>): boolean {
    if (place.gone) return false;
    place.gone = true;
    const { before, behind } = place;
    if (before === undefined) this.#first = behind;
    else before.behind = behind;
    if (behind === undefined) this.#last = before;
    else behind.before = before;
    return true;
  }
}
