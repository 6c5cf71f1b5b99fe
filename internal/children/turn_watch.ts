/**
 * Watches the turns of the event loop.
 *
 * @module
 */

/** The interval in ms at which to look. Arbitrary. */
const TICK_MS = 5;

/**
 * The milliseconds by which a look may be late: a turn that takes longer is long, if this process computed in most of that
 * time. On a busy machine a process waits for a processor. Handlers that parse and answer take less. Arbitrary.
 */
const LATE_MS = 20;

/** The looks without work after which nobody looks any more. Arbitrary. */
const REST_TICKS = 100;

/** The number of requests without a long turn after which no further one is expected. Arbitrary. */
const PROVEN = 32;

/** Reports whether handlers leave the event loop free: the last {@linkcode PROVEN} requests have had no long turn. */
export class TurnWatch {
  #timer: number | undefined;
  #last = 0;
  #used = 0;
  #rest = 0;
  #requests = 0;

  /** Whether no long turn is expected. */
  get free(): boolean {
    return this.#requests >= PROVEN;
  }

  /** Notes that a request begins. */
  begin(): void {
    this.#requests++;
    this.#rest = 0;
    if (this.#timer !== undefined) return;
    this.#last = performance.now();
    this.#used = computed();
    this.#timer = setInterval(() => this.#look(), TICK_MS) as unknown as number;
    Deno.unrefTimer(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    const passed = now - this.#last;
    const used = computed();
    const long = passed > TICK_MS + LATE_MS &&
      (used - this.#used) * 2 > passed;
    if (long) this.#requests = 0;
    this.#last = now;
    this.#used = used;
    if (++this.#rest < REST_TICKS) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** Returns the milliseconds for which this process has computed. */
function computed(): number {
  return globalThis.process.cpuUsage().user / 1000;
}
