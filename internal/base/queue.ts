/**
 * A queue of any length.
 *
 * @module
 */

/** One element and its neighbours. */
interface Entry<T> {
  readonly value: T;
  previous: Entry<T> | undefined;
  next: Entry<T> | undefined;
  gone: boolean;
}

/**
 * A first-in-first-out queue whose elements can also leave from the middle. Each operation takes the same time,
 * whatever the length; `shift()` of an array moves all other elements once there are about 50,000.
 *
 * @typeParam T The element.
 */
export class Queue<T> {
  #first: Entry<T> | undefined;
  #last: Entry<T> | undefined;

  /**
   * Adds an element at the end.
   *
   * @returns Removes the element; returns false if the element has left the queue already.
   */
  push(value: T): () => boolean {
    const previous = this.#last;
    const entry: Entry<T> = { value, previous, next: undefined, gone: false };
    if (previous === undefined) this.#first = entry;
    else previous.next = entry;
    this.#last = entry;
    return () => this.#remove(entry);
  }

  /** The first element; undefined if there is none. */
  get first(): T | undefined {
    return this.#first?.value;
  }

  /** Iterates over the elements. */
  *[Symbol.iterator](): Generator<T> {
    for (let at = this.#first; at !== undefined; at = at.next) yield at.value;
  }

  /** Removes and returns the first element; undefined if there is none. */
  shift(): T | undefined {
    const first = this.#first;
    if (first !== undefined) this.#remove(first);
    return first?.value;
  }

  #remove(entry: Entry<T>): boolean {
    if (entry.gone) return false;
    entry.gone = true;
    const { previous, next } = entry;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    return true;
  }
}
