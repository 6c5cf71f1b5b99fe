/**
 * The waits of handlers between two messages, which end when the server drains or the connection was idle for too long.
 *
 * @module
 */

import { TimeoutError } from "../base/errors.ts";
import { Cancellation } from "../waiting/timeouts.ts";
import { settleReads } from "../waiting/turns.ts";
import type { ActiveRequest } from "./active_requests.ts";

/**
 * How many more times a handler may look for a message that has arrived once the waits are over: a client that asks on and
 * on would keep the server otherwise. A read takes 64 KiB, so 1 MiB of requests that came together is handled. Arbitrary.
 */
const LOOKS_MAX = 16;

/** The wait of one handler. The end of the waits, or the timeout of the connection, cancels it. */
export class IdleWait extends Cancellation {
  readonly #waits: IdleWaits;
  readonly #active: ActiveRequest | undefined;
  readonly #timeout: Cancellation | null;
  /** Whether the wait began before the drain, and not after a message that was under way. */
  readonly #early: boolean;
  #onCancel: ((error: unknown) => void) | undefined;
  /** Whether the wait has ended because the server drains. */
  drained = false;

  /**
   * @param waits The waits of the server.
   * @param active The request; undefined if the server did not get it itself.
   * @param timeout The timeout of the connection; null is none.
   */
  constructor(
    waits: IdleWaits,
    active: ActiveRequest | undefined,
    timeout: Cancellation | null,
  ) {
    super();
    this.#waits = waits;
    this.#active = active;
    this.#timeout = timeout;
    this.#early = !waits.draining;
  }

  get due(): number {
    return this.#timeout?.due ?? Infinity;
  }

  start(onCancel: (error: unknown) => void): void {
    if (this.drained) return onCancel(undefined);
    this.#onCancel = onCancel;
    this.#timeout?.start((error) => {
      this.cancel();
      onCancel(error);
    });
  }

  cancel(): void {
    this.#onCancel = undefined;
    this.#timeout?.cancel();
  }

  error(): unknown {
    return this.#timeout?.error();
  }

  /** Ends the wait because the server drains. */
  drain(): void {
    this.drained = true;
    if (this.#early && this.#active !== undefined) this.#active.result = "idle";
    const onCancel = this.#onCancel;
    this.cancel();
    onCancel?.(undefined);
  }

  /** Ends the wait: the handler continues. */
  end(): void {
    this.cancel();
    this.#waits.delete(this);
  }
}

/** The waits of a server's handlers. */
export class IdleWaits {
  readonly #waits = new Set<IdleWait>();
  /** Whether the server drains. */
  draining = false;
  /** Whether the waits have ended for good, and no handler waits any more. */
  over = false;
  /** Called when the number of waits has changed. */
  onChange: (() => void) | undefined = undefined;
  /** How often the handlers of requests have looked for a message since the waits are over. */
  readonly #looks = new WeakMap<ActiveRequest, number>();
  /** The number of blocking handlers that wait: one at most. */
  #blocked = 0;

  /** The number of handlers that wait here. */
  get size(): number {
    return this.#waits.size + this.#blocked;
  }

  /** Reports whether a handler may look for a message that has arrived, although the waits are over. */
  mayLook(active: ActiveRequest | undefined): boolean {
    if (active === undefined) return true;
    const looks = (this.#looks.get(active) ?? 0) + 1;
    this.#looks.set(active, looks);
    return looks <= LOOKS_MAX;
  }

  /** Begins the wait of a handler. */
  begin(
    active: ActiveRequest | undefined,
    timeout: Cancellation | null,
  ): IdleWait {
    const wait = new IdleWait(this, active, timeout);
    this.#waits.add(wait);
    this.onChange?.();
    return wait;
  }

  /** Removes a wait that has ended. */
  delete(wait: IdleWait): void {
    this.#waits.delete(wait);
    this.onChange?.();
  }

  /**
   * Runs the wait of a blocking handler.
   *
   * @param wait Blocks until a message begins, the stream ends or {@linkcode IdleWaits.over}. Returns undefined if the
   *   last came first.
   * @returns Whether a message begins.
   */
  block(
    active: ActiveRequest | undefined,
    wait: () => boolean | undefined,
  ): boolean {
    const { draining } = this;
    this.#block(1);
    try {
      const begins = wait();
      if (begins === undefined && !draining && active !== undefined) {
        active.result = "idle";
      }
      return begins ?? false;
    } finally {
      this.#block(-1);
    }
  }

  #block(change: 1 | -1): void {
    this.#blocked += change;
    this.onChange?.();
  }

  /** Ends the waits, after the messages that have begun to arrive: their handlers go on. */
  async drain(): Promise<void> {
    if (this.#waits.size > 0) await settleReads();
    this.end();
  }

  /** Ends the waits at once. */
  end(): void {
    this.over = true;
    for (const wait of this.#waits) wait.drain();
  }
}

/** The call that the error of an idle connection names. */
export const IDLE_CALL = "wait";

/** The requests whose handlers have heard in `waitForRequest` that the connection was idle for too long. */
const toldIdle = new WeakSet<object>();

/** Reports whether an error is that of a connection on which no byte came or went for `idleTimeout`. */
export function isIdle(error: unknown): boolean {
  return error instanceof TimeoutError && error.syscall === IDLE_CALL;
}

/** Returns false for the error of an idle connection: no message comes any more. Throws any other error. */
export function endsIdle(request: object, error: unknown): false {
  if (!isIdle(error)) throw error;
  toldIdle.add(request);
  return false;
}

/**
 * Reports whether an error is that of a handler that still wrote after `waitForRequest` returned false at the idle
 * timeout: a goodbye, which is not reported.
 */
export function isGoodbye(request: unknown, error: unknown): boolean {
  return isIdle(error) && toldIdle.has(request as object);
}
