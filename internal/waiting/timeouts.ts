/**
 * Timeouts of calls. They need no timer and no reading of the clock for each call.
 *
 * @module
 */

import type { OSError } from "../base/errors.ts";
import { osError } from "../base/translate_error.ts";
import { whenEnded } from "./pending_operation.ts";
import { descriptorsChecked } from "./turns.ts";

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
 * The timer of one socket, which its timeouts share. When the timer fires, it expires the calls that are due. So a busy
 * connection sets one timer per timeout period, and not one per call.
 */
export class SharedTimer {
  /** The first timeout, and mostly the only one. */
  #first: Timeout | undefined;
  #others: Set<Timeout> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #fires = 0;
  /**
   * The milliseconds of the running timer. A timeout that is as long and begins while the timer runs is due after it.
   */
  #span = 0;
  #stopped = false;

  /** Adds a timeout. */
  add(timeout: Timeout): void {
    if (this.#first === undefined) this.#first = timeout;
    else (this.#others ??= new Set()).add(timeout);
    if (this.#timer !== undefined && this.#span <= timeout.span) return;
    this.#set(timeout.due, timeout.span);
  }

  /** Removes a timeout. */
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

  readonly #fire = async (): Promise<void> => {
    this.#timer = undefined;
    const now = performance.now();
    const due = [...this.#all()].filter((timeout) => timeout.due <= now);
    const graces = due.filter((timeout) => timeout.takeGrace());
    if (graces.length > 0) await descriptorsChecked();
    if (this.#stopped) return;
    for (const timeout of due) timeout.expire();
    let next = Infinity;
    for (const timeout of this.#all()) next = Math.min(next, timeout.due);
    if (next !== Infinity) this.#set(next, next - now);
  };

  *#all(): Generator<Timeout> {
    if (this.#first !== undefined) yield this.#first;
    yield* this.#others ?? [];
  }

  /** Stops for good. Calls that still wait no longer time out. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** Ends the waits of one call: its timeout, an abort signal, or both. */
export abstract class Cancellation {
  /** The signal that ends the waits, if there is one. */
  get signal(): AbortSignal | undefined {
    return undefined;
  }

  /** Whether the call has a timeout. */
  get timed(): boolean {
    return true;
  }

  /** When the time runs out, on the clock of `performance.now()`; Infinity without a timeout. */
  abstract readonly due: number;
  /** Calls `onCancel` once, with the error, when the wait must end. */
  abstract start(onCancel: (error: unknown) => void): void;
  /** Stops calling `onCancel`. */
  abstract cancel(): void;
  /** Creates the error of a call whose wait has ended. */
  abstract error(): unknown;

  /** Waits for `flight`, which must not reject. Resolves to false if the wait must end before. */
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

/** The timeout of one call. It runs from its creation, through all waits of the call. */
export class Timeout extends Cancellation {
  readonly #shared: SharedTimer;
  readonly #begin = StartTime.current();
  readonly #syscall: string;
  #onExpire: ((error: unknown) => void) | undefined;
  #grace: boolean;
  /** The milliseconds of the timeout. */
  readonly span: number;

  /**
   * @param shared The timer of the socket.
   * @param seconds The seconds of the timeout.
   * @param syscall The call, for the message.
   */
  constructor(shared: SharedTimer, seconds: number, syscall: string) {
    super();
    this.#shared = shared;
    this.#syscall = syscall;
    this.span = seconds * 1000;
    this.#grace = seconds > 0;
  }

  /**
   * Reports whether the event loop may look at the descriptors before the call fails: once, so that a peer that sends a
   * byte now and then prolongs no call. Never for a call that began when its time was up.
   */
  takeGrace(): boolean {
    const grace = this.#grace;
    this.#grace = false;
    return grace;
  }

  /** The end of the timeout on the clock of `performance.now()`. */
  get due(): number {
    return this.#begin.time + this.span;
  }

  /** Calls `onExpire` when the time runs out. */
  start(onExpire: (error: unknown) => void): void {
    this.#onExpire = onExpire;
    this.#shared.add(this);
  }

  /** Stops calling `onExpire`. */
  cancel(): void {
    this.#onExpire = undefined;
    this.#shared.delete(this);
  }

  /** Calls `onExpire`: the time has run out. */
  expire(): void {
    const onExpire = this.#onExpire;
    this.cancel();
    onExpire?.(this.error());
  }

  /** Creates the error of a call that timed out. */
  error(): OSError {
    return osError("ETIMEDOUT", {
      syscall: this.#syscall,
      reason: this.reason,
    });
  }

  /** The reason, for the message. */
  protected get reason(): string {
    return `timed out after ${Math.round(this.span) / 1000} s`;
  }
}

/** The timeout of a call that the deadline of its socket ends. */
export class DeadlineTimeout extends Timeout {
  readonly #deadlineSeconds: number;

  /**
   * @param shared The timer of the socket.
   * @param seconds The seconds of the timeout.
   * @param syscall The call, for the message.
   * @param whole The seconds of the whole deadline.
   */
  constructor(
    shared: SharedTimer,
    seconds: number,
    syscall: string,
    whole: number,
  ) {
    super(shared, seconds, syscall);
    this.#deadlineSeconds = whole;
  }

  protected override get reason(): string {
    return `the deadline of ${this.#deadlineSeconds} s has passed`;
  }
}

/** Creates the error of a call that must not wait and would have to. */
export function wouldBlock(syscall: string): OSError {
  return osError("EAGAIN", { syscall });
}

/** The limit of a call: null for none, "now" for a call that must not wait, or what ends the wait. */
export type WaitLimit = null | "now" | Cancellation;

/** Returns the signal of a limit, if it has one. */
export function signalOf(limit: WaitLimit): AbortSignal | undefined {
  return limit === null || limit === "now" ? undefined : limit.signal;
}

/** Returns the seconds that a limit leaves, at least a millisecond; undefined for no limit. */
export function secondsLeft(limit: WaitLimit): number | undefined {
  if (limit === "now") return 0;
  if (limit === null || limit.due === Infinity) return undefined;
  return Math.max(1, limit.due - performance.now()) / 1000;
}

let current: StartTime | undefined;

/**
 * The time at which a call begins. All calls that begin in one run of the microtask queue share it. The clock is read
 * at the end of that run, or earlier if a call asks for the time: never before the call has begun, so no timeout ends
 * too early.
 */
export class StartTime {
  #time = NaN;

  /** Returns the start time of a call that begins now. */
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
