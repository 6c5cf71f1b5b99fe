/**
 * A race of attempts, in which the first success wins, as asyncio's `staggered_race`.
 *
 * @module
 */

import { checkAborted, onAbort, reasonOf } from "./abort.ts";
import { setUnrefTimeout } from "./timeouts.ts";

/** Makes an attempt, which ends early when the signal aborts. */
export type RaceAttempt<T> = (signal: AbortSignal) => Promise<T>;

/** Calls `next` after some seconds, unless the returned function is called before. */
export type Pause = (seconds: number, next: () => void) => () => void;

/** The options of {@linkcode staggeredRace}. */
export interface RaceOptions<T> {
  /** Seconds after which the next attempt begins, too; null waits for the end of each attempt. */
  delay: number | null;
  /** Releases a success that came too late. */
  discard: (result: T) => void;
  /** Ends all attempts. */
  signal?: AbortSignal;
  /** The clock. */
  pause?: Pause;
}

const pauseOnTimer: Pause = (seconds, next) => {
  const timer = setUnrefTimeout(next, seconds * 1000);
  return () => clearTimeout(timer);
};

/** The race, while it runs. */
class RunningRace<T> {
  readonly #attempts: readonly RaceAttempt<T>[];
  readonly #options: RaceOptions<T>;
  readonly #over = new AbortController();
  readonly #errors: unknown[] = [];
  readonly #end = Promise.withResolvers<T>();
  #begun = 0;
  #failed = 0;
  #endPause: (() => void) | undefined;

  constructor(attempts: readonly RaceAttempt<T>[], options: RaceOptions<T>) {
    this.#attempts = attempts;
    this.#options = options;
  }

  async run(): Promise<T> {
    const { signal } = this.#options;
    checkAborted(signal);
    const forget = signal && onAbort(signal, () => {
      this.#over.abort();
      this.#end.reject(reasonOf(signal));
    });
    try {
      this.#beginNext();
      return await this.#end.promise;
    } finally {
      forget?.();
      this.#endPause?.();
    }
  }

  readonly #beginNext = (): void => {
    this.#endPause?.();
    this.#endPause = undefined;
    if (this.#begun === this.#attempts.length) return;
    const index = this.#begun++;
    this.#attempts[index](this.#over.signal).then(
      (result) => this.#succeed(result),
      (error) => this.#fail(index, error),
    );
    const { delay, pause = pauseOnTimer } = this.#options;
    if (delay === null || this.#begun === this.#attempts.length) return;
    this.#endPause = pause(delay, this.#beginNext);
  };

  #succeed(result: T): void {
    if (this.#over.signal.aborted) return this.#options.discard(result);
    this.#over.abort();
    this.#end.resolve(result);
  }

  #fail(index: number, error: unknown): void {
    this.#errors[index] = error;
    if (this.#over.signal.aborted) return;
    if (++this.#failed < this.#attempts.length) return this.#beginNext();
    this.#end.reject(new AggregateError(this.#errors));
  }
}

/**
 * Begins one attempt after the other, with a delay between two, and returns the first success. An attempt that fails ends
 * the delay. The attempts that lose are aborted.
 *
 * @param attempts The attempts, in their order; at least one.
 * @param options The delay, and a function that releases late successes.
 * @returns The first success. Rejects with the signal's reason.
 * @throws {AggregateError} The errors of all attempts, in their order.
 */
export function staggeredRace<T>(
  attempts: readonly RaceAttempt<T>[],
  options: RaceOptions<T>,
): Promise<T> {
  return new RunningRace(attempts, options).run();
}
