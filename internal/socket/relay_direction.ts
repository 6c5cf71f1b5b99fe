/**
 * The two directions of a relay, and their limit for idle connections.
 *
 * @module
 */

import { osError } from "../base/translate_error.ts";
import { resolvesWithin } from "../waiting/promises.ts";
import { setUnrefTimeout } from "../waiting/timeouts.ts";
import { descriptorsChecked, nextTurn } from "../waiting/turns.ts";
import { RelayBuffer } from "./relay_buffer.ts";
import type { Stream } from "./stream.ts";

/** Fails when nothing has happened for some time. */
export class IdleTimeout {
  readonly #milliseconds: number;
  readonly #fail: (error: Error) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = performance.now();
  #stopped = false;

  constructor(seconds: number, fail: (error: Error) => void) {
    this.#milliseconds = seconds * 1000;
    this.#fail = fail;
    this.#check();
  }

  get #left(): number {
    return this.#last + this.#milliseconds - performance.now();
  }

  readonly #check = async (): Promise<void> => {
    if (this.#left <= 0) await descriptorsChecked(); // bytes may have come in time
    if (this.#stopped) return;
    if (this.#left > 0) {
      this.#timer = setUnrefTimeout(this.#check, Math.ceil(this.#left));
      return;
    }
    const reason = `no byte came for ${this.#milliseconds / 1000} s`;
    this.#fail(osError("ETIMEDOUT", { syscall: "relay", reason }));
  };

  /** Restarts the time. */
  restart(): void {
    this.#last = performance.now();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}

/**
 * How long a relay waits for a write in flight, in milliseconds: after a failure, because the connection cannot be reset
 * meanwhile, and at an end, because a reset may be behind it. Arbitrary; a client that reads at all makes room sooner.
 */
const LAST_WRITE_MS = 1000;

/** The writes to a peer that must succeed after the peer's end has come, before the end is passed on. Arbitrary. */
const END_WRITES = 4;

/** One direction of a relay. */
export class Direction {
  readonly #from: Stream;
  readonly #to: Stream;
  readonly #idle: IdleTimeout | undefined;
  #writing: Promise<void> | undefined;
  #stopped = false;
  /** The other direction of the relay. */
  opposite: Direction | undefined;

  constructor(from: Stream, to: Stream, idle: IdleTimeout | undefined) {
    this.#from = from;
    this.#to = to;
    this.#idle = idle;
  }

  /** Passes on all bytes, and then the end. Returns the number of bytes. */
  async copy(): Promise<number> {
    const buffer = new RelayBuffer(this.#from);
    let total = 0;
    try {
      for (;;) {
        const bytes = await buffer.next();
        if (bytes.length === 0 || this.#stopped) break;
        this.#idle?.restart();
        await (this.#writing = this.#to.sendall(bytes, null));
        this.#writing = undefined;
        this.#idle?.restart();
        total += bytes.length;
      }
      buffer.release();
    } finally {
      buffer.drop();
    }
    await this.#endSettled();
    if (!this.#stopped) await this.#to.endWrite(null);
    return total;
  }

  /**
   * Waits until a reset behind the end would have shown: a read finds an end then, and only the writes to the same peer
   * fail, below TLS and from a worker or a child some turns later.
   */
  async #endSettled(): Promise<void> {
    const until = performance.now() + LAST_WRITE_MS;
    for (let writes = 0; writes < END_WRITES; writes++) {
      await this.opposite?.lastWrite();
      await nextTurn();
      if (performance.now() > until) return;
    }
  }

  /** Passes nothing more on, not even the end. */
  stop(): void {
    this.#stopped = true;
  }

  /** Waits for the end of the write in flight, but not for a peer that reads nothing. */
  async lastWrite(): Promise<void> {
    if (this.#writing === undefined) return;
    await resolvesWithin(this.#writing.catch(() => {}), LAST_WRITE_MS);
  }
}

/** Returns the two directions between two streams. Each knows the other. */
export function directions(
  [a, b]: Stream[],
  idle: IdleTimeout | undefined,
): [up: Direction, down: Direction] {
  const up = new Direction(a, b, idle);
  const down = new Direction(b, a, idle);
  up.opposite = down;
  down.opposite = up;
  return [up, down];
}
