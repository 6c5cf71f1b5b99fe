/**
 * Runs the steps of a read; between two steps more data is awaited, or blocked for. Reads of an async file take turns.
 *
 * @module
 */

import type { Bytes } from "../base/memory.ts";
import {
  type AbortOptions,
  AbortOrTimeout,
  checkAborted,
  checkSignal,
  reasonOf,
} from "../waiting/abort.ts";
import { Mutex } from "../waiting/mutex.ts";
import { quietFailure, unawaited } from "../waiting/promises.ts";
import { nextTurn } from "../waiting/turns.ts";

/**
 * A read: yields how much data it needs, or the memory to receive into, and is told how much has come; 0 is the end of
 * the stream.
 */
export type ReadSteps<T> = Generator<number | Uint8Array, T, number>;

/** A step that wants more data. */
type Wanted = IteratorYieldResult<number | Uint8Array>;

/** A step of a read: wants more data, or has the result. */
type Step<T> = IteratorResult<number | Uint8Array, T>;

/** The state of a reader. */
export interface ReceivingCore {
  /** Throws if the reader is closed. */
  checkOpen(): void;
  /**
   * Keeps received bytes, or notes how many went into the memory of the read.
   *
   * @returns How much data has come; 0 at the end of the stream, undefined if more bytes are needed to tell.
   */
  keep(received: Bytes | number): number | undefined;
}

/** Receives once: so many bytes, or into memory. */
export type Receive<R> = (
  wanted: number | Uint8Array,
  signal: AbortSignal | undefined,
) => R;

/**
 * Runs the reads of an async file, one after the other.
 *
 * A read whose data is there makes one promise, and one more for each receive. An async function for the read and
 * another one for the receive would add 0.5 microseconds to a line, 3 percent of a request.
 */
export class ReadTurns {
  readonly #turns = new Mutex();
  readonly #core: ReceivingCore;
  readonly #receive: Receive<Promise<Bytes | number>>;

  /**
   * @param core The state of the reader.
   * @param receive Receives once.
   */
  constructor(core: ReceivingCore, receive: Receive<Promise<Bytes | number>>) {
    this.#core = core;
    this.#receive = receive;
  }

  /** Whether no read is under way. */
  get free(): boolean {
    return this.#turns.ready;
  }

  /**
   * Runs a read when it is its turn. The promise may go unawaited.
   *
   * @param begin Begins the read.
   * @param signal Ends the wait.
   */
  run<T>(begin: () => ReadSteps<T>, signal?: AbortSignal): Promise<T> {
    if (signal === undefined && this.#turns.tryAcquire()) {
      return this.#run(begin, signal);
    }
    const turn = takeTurn(this.#turns, signal);
    return unawaited(turn.then(() => this.#run(begin, signal)));
  }

  #run<T>(
    begin: () => ReadSteps<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    try {
      this.#core.checkOpen();
      const steps = begin();
      const step = steps.next();
      if (!step.done) return this.#wait(steps, step, signal);
      this.#turns.release();
      return Promise.resolve(step.value);
    } catch (error) {
      this.#turns.release();
      return unawaited(Promise.reject(error));
    }
  }

  /** Runs the steps of a read from its first receive on. */
  #wait<T>(
    steps: ReadSteps<T>,
    first: Wanted,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const received = (data: Bytes | number): T | Promise<T> => {
      try {
        const step = nextStep(this.#core, steps, first, data);
        if (!step.done) {
          return this.#goOn(steps, step, signal).then(undefined, failed);
        }
        this.#turns.release();
        return step.value;
      } catch (error) {
        return failed(error);
      }
    };
    const failed = (error: unknown): never => this.#fail(steps, result, error);
    const result = this.#receive(first.value, signal).then(received, failed);
    return result;
  }

  /** Runs the steps from the second receive on, in a loop: nested promises would grow with each piece that a peer sends. */
  async #goOn<T>(
    steps: ReadSteps<T>,
    step: Step<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    while (!step.done) {
      const data = await this.#receive(step.value, signal);
      step = nextStep(this.#core, steps, step, data);
    }
    this.#turns.release();
    return step.value;
  }

  #fail(
    steps: ReadSteps<unknown>,
    result: Promise<unknown>,
    error: unknown,
  ): never {
    this.#turns.release();
    quietFailure(result, error);
    steps.throw(error); // puts back what the read has taken
    throw error;
  }
}

/** Runs the reads of a file that blocks the thread. */
export class BlockingReads {
  readonly #core: ReceivingCore;
  readonly #receive: Receive<Bytes>;

  /**
   * @param core The state of the reader.
   * @param receive Receives once.
   */
  constructor(core: ReceivingCore, receive: Receive<Bytes>) {
    this.#core = core;
    this.#receive = receive;
  }

  /** Runs a read; throws the reason of a signal that has aborted. */
  run<T>(begin: () => ReadSteps<T>, signal?: AbortSignal): T {
    checkSignal(signal, "read");
    checkAborted(signal);
    this.#core.checkOpen();
    const steps = begin();
    try {
      let step = steps.next();
      while (!step.done) {
        const data = this.#receive(step.value, signal);
        step = nextStep(this.#core, steps, step, data);
      }
      return step.value;
    } catch (error) {
      steps.throw(error);
      throw error;
    }
  }
}

/** Gives received data to a read. Returns its next step: the same one if more bytes are needed to tell. */
function nextStep<T>(
  core: ReceivingCore,
  steps: ReadSteps<T>,
  step: Wanted,
  data: Bytes | number,
): Step<T> {
  const count = core.keep(data);
  return count === undefined ? step : steps.next(count);
}

/** Takes the turn of a read. Rejects with the reason of its signal if that aborts before, and takes no turn then. */
async function takeTurn(
  turns: Mutex,
  signal: AbortSignal | undefined,
): Promise<void> {
  checkSignal(signal, "read");
  if (signal === undefined) return await turns.acquire();
  if (signal.aborted) {
    await nextTurn(); // a loop that ignores the abort must not starve the others
    throw reasonOf(signal);
  }
  await turns.acquireWithin(new AbortOrTimeout(signal, null), "read");
}

/** Returns the count and the signal of a read whose count may be left out, as in `read({ signal })`. */
export function readArguments(
  count: number | AbortOptions | undefined,
  options: AbortOptions | undefined,
): [count: number | undefined, signal: AbortSignal | undefined] {
  if (isOptions(count)) return [undefined, count.signal];
  return [count, options?.signal];
}

/** Reports whether an argument is options, and not a wrong count, such as a promise. */
function isOptions(value: unknown): value is AbortOptions {
  return typeof value === "object" && value !== null &&
    ("signal" in value || Object.getPrototypeOf(value) === Object.prototype);
}
