/**
 * Waiting with a limit of time, without a timer, or a look at the clock, for each call.
 *
 * @module
 */

import { type OSError, osError } from "../base/errors.ts";
import { whenEnded } from "./pending_operation.ts";

/** The longest delay of `setTimeout`, 2^31 - 1 ms; a longer one would fire at once. */
export const MAX_DELAY = 2147483647;

/** Sets a timer that does not keep the process alive. */
export function setUnrefTimeout(
  callback: () => void,
  milliseconds: number,
): ReturnType<typeof setTimeout> {
  const timer = setTimeout(callback, Math.min(milliseconds, MAX_DELAY));
  Deno.unrefTimer(timer);
  return timer;
}

/**
 * Turns of the event loop after which a call that must not wait gives up. A loop that is kept turning
 * looks at the descriptors in every 61st tick only (tokio's default `event_interval`): data in the
 * kernel's buffer was there after 60 turns in each of 8,000 trials, 65 us in all. The rest is a margin.
 */
const POLL_TURNS = 64;

/**
 * The timeouts of one socket. Its timer is set once and serves the calls that come while it runs:
 * when it fires it looks which of the waiting calls are due. A connection that is used all
 * the time makes one timer per timeout, not one per call.
 */
export class SharedTimer {
  /** The first of the waiting calls; mostly there is one. */
  #first: Timeout | undefined;
  #others: Set<Timeout> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #fires = 0;
  /** A timeout of at least as many milliseconds that begins while the timer runs is due after it. */
  #span = 0;
  #stopped = false;

  /** Counts a timeout in. */
  add(timeout: Timeout): void {
    if (this.#first === undefined) this.#first = timeout;
    else (this.#others ??= new Set()).add(timeout);
    if (this.#timer !== undefined && this.#span <= timeout.span) return;
    this.#set(timeout.due, timeout.span);
  }

  /** Counts a timeout out. */
  delete(timeout: Timeout): void {
    if (this.#first === timeout) this.#first = undefined;
    else this.#others?.delete(timeout);
  }

  #set(due: number, span: number): void {
    if (this.#stopped) return;
    if (this.#timer !== undefined) {
      if (this.#fires <= due) return;
      clearTimeout(this.#timer);
    }
    this.#fires = due;
    this.#span = span;
    const delay = Math.ceil(Math.max(0, due - performance.now()));
    this.#timer = setUnrefTimeout(this.#fire, delay);
  }

  readonly #fire = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    let next = Infinity;
    for (const timeout of [this.#first, ...this.#others ?? []]) {
      if (timeout === undefined) continue;
      if (timeout.due <= now) timeout.expire();
      else next = Math.min(next, timeout.due);
    }
    if (next !== Infinity) this.#set(next, next - now);
  };

  /** Stops for good. Calls that still wait end with what they wait for. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** The limit of time of one call. It runs from when it is made, through all that the call waits for. */
export class Timeout {
  readonly #shared: SharedTimer;
  readonly #begin = StartTime.current();
  readonly #syscall: string;
  #onExpire: ((error: OSError) => void) | undefined;
  /** How long, in milliseconds. */
  readonly span: number;

  /**
   * @param shared The timer of the socket.
   * @param seconds How long.
   * @param syscall The call, for the message.
   */
  constructor(shared: SharedTimer, seconds: number, syscall: string) {
    this.#shared = shared;
    this.#syscall = syscall;
    this.span = seconds * 1000;
  }

  /** When the time runs out, on the clock of `performance.now()`. */
  get due(): number {
    return this.#begin.time + this.span;
  }

  /** From now on, running out means `onExpire`. */
  start(onExpire: (error: OSError) => void): void {
    this.#onExpire = onExpire;
    this.#shared.add(this);
  }

  /** From now on, running out means nothing. */
  cancel(): void {
    this.#shared.delete(this);
  }

  /** The time has run out. */
  expire(): void {
    this.cancel();
    this.#onExpire?.(this.error());
  }

  /** The error of a call whose time has run out. */
  error(): OSError {
    return osError("ETIMEDOUT", {
      syscall: this.#syscall,
      reason: this.reason,
    });
  }

  /** What ran out, for the message. */
  protected get reason(): string {
    return `timed out after ${Math.round(this.span) / 1000} s`;
  }

  /** Waits for `flight`, which must not reject; resolves to false when the time ran out. */
  race(flight: Promise<void>): Promise<boolean> {
    return new Promise((resolve) => {
      const forget = whenEnded(flight, () => {
        this.cancel();
        resolve(true);
      });
      this.start(() => {
        forget();
        resolve(false);
      });
    });
  }
}

/** The limit of a call that ends with the deadline of its socket, of which it gets what is left. */
export class DeadlineTimeout extends Timeout {
  readonly #whole: number;

  /**
   * @param shared The timer of the socket.
   * @param seconds How long.
   * @param syscall The call, for the message.
   * @param whole The seconds of the deadline.
   */
  constructor(
    shared: SharedTimer,
    seconds: number,
    syscall: string,
    whole: number,
  ) {
    super(shared, seconds, syscall);
    this.#whole = whole;
  }

  protected override get reason(): string {
    return `the deadline of ${this.#whole} s has passed`;
  }
}

/** The error of a call that must not wait and would have to. */
export function wouldBlock(syscall: string): OSError {
  return osError("EAGAIN", { syscall });
}

/** Lets the event loop turn once. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Rejects with `error`, in a later turn of the event loop. A call that fails without having waited would otherwise
 * end in the same turn, and a program that calls again and again, whatever the error, would keep all else from
 * running, its own timers and signals too.
 */
export async function failLater(error: unknown): Promise<never> {
  await nextTurn();
  throw error;
}

/** Begins a call; its failure lets the event loop turn first, as {@linkcode failLater} does. */
export async function failingLater<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    return await failLater(error);
  }
}

/** Lets the event loop turn, so that what is ready is delivered. */
export async function poll(
  source: { readonly ready: boolean; fill(): unknown },
): Promise<boolean> {
  source.fill();
  for (let turn = 0; turn < POLL_TURNS && !source.ready; turn++) {
    await nextTurn();
  }
  return source.ready;
}

/** How long a call may wait: without limit, not at all, or until a timeout. */
export type WaitLimit = null | "now" | Timeout;

/** The seconds that a limit leaves, as `settimeout` has them; undefined for no limit. At least a millisecond is left. */
export function secondsLeft(limit: WaitLimit): number | undefined {
  if (limit === null) return undefined;
  if (limit === "now") return 0;
  return Math.max(1, limit.due - performance.now()) / 1000;
}

let current: StartTime | undefined;

/**
 * The moment at which a call begins: the one that is current, which all calls share that begin in one run
 * of the microtask queue. Its time is read when that run ends, or sooner where somebody asks for it: never
 * before the call has begun, so that no timeout runs out too early.
 */
export class StartTime {
  #time = NaN;

  /** The moment of a call that begins now. */
  static current(): StartTime {
    if (current === undefined) {
      current = new StartTime();
      queueMicrotask(StartTime.#end);
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
    if (this === current) StartTime.#end();
    return this.#time;
  }
}
