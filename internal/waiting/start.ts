/**
 * The start of an object that takes time, such as a server whose `serverBind` returns a promise.
 *
 * @module
 */

import type { Readiness } from "./pending_operation.ts";

const starts = new WeakMap<object, Start>();

/** The failed starts whose error no call has thrown yet. */
const untaken = new Set<Start>();

/**
 * A start that is in progress, or that has failed. Calls of the object wait for the start, and throw its error. If no
 * call has thrown the error when the program ends, the program fails with it. That is not earlier, because a call may
 * come at any time.
 */
export class Start implements Readiness {
  readonly #object: object;
  readonly #ended: Promise<void>;
  #failure: { error: unknown } | undefined;
  #ready = false;
  /** Whether the object is closed, so that an error of the start no longer matters. */
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

  /** Returns the start of an object if it is in progress or has failed. */
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

  /** Resolves when the start has ended, with or without an error. */
  nextChange(): Promise<void> {
    return this.#ended;
  }

  /** Whether the start has failed, and no call has thrown the error. */
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

/** Throws an error that no call has thrown, when the program ends: Deno reports it, and the exit code is 1. */
function throwUntaken(): void {
  for (const start of untaken) start.check();
}
