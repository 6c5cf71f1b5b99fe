/**
 * The start of an object that takes time, such as a server whose `serverBind` returns a promise.
 *
 * @module
 */

import type { Readiness } from "./pending_operation.ts";

const starts = new WeakMap<object, Start>();

/** The starts whose error nobody has got. */
const untaken = new Set<Start>();

/**
 * A start that is under way, or that has failed. Those who use the object wait for it, and get its error. An error that
 * nobody gets ends the program with that error, but not before the program would end anyway: it may wait for the start
 * at any time.
 */
export class Start implements Readiness {
  readonly #object: object;
  readonly #ended: Promise<void>;
  #failure: { error: unknown } | undefined;
  #ready = false;
  /** Whether the object is closed meanwhile: an error of the start does not matter any more. */
  cancelled = false;

  /**
   * Notes a start.
   *
   * @param object The object that starts.
   * @param starting Settles when the start has ended.
   */
  constructor(object: object, starting: Promise<void>) {
    this.#object = object;
    starts.set(object, this);
    this.#ended = starting.then(
      () => this.#end(),
      (error) => this.#end({ error }),
    );
  }

  /** Returns the start of an object that is under way or has failed. */
  static of(object: object): Start | undefined {
    return starts.get(object);
  }

  #end(failure?: { error: unknown }): void {
    this.#ready = true;
    this.#failure = failure;
    if (failure === undefined) starts.delete(this.#object);
    else if (!this.cancelled) {
      if (untaken.size === 0) addEventListener("beforeunload", throwUntaken);
      untaken.add(this);
    }
  }

  /** Whether the start has ended. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Resolves when the start has ended, in any way. */
  fill(): Promise<void> {
    return this.#ended;
  }

  /** Whether the start has failed, and nobody has got the error. */
  get untaken(): boolean {
    return untaken.has(this);
  }

  /** Throws the error of a start that has failed. */
  check(): void {
    untaken.delete(this);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Waits for the end of the start. Rejects with its error. */
  async wait(): Promise<void> {
    await this.#ended;
    this.check();
  }
}

/** Throws an error that nobody has got, as the program ends: it is reported, and the exit code is 1. */
function throwUntaken(): void {
  for (const start of untaken) start.check();
}
