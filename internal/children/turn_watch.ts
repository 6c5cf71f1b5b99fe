/**
 * Watches the turns of the event loop.
 *
 * @module
 */

/**
 * The interval in ms at which to look. A look takes 10 to 17 us of a processor (Deno 2.9.6), so 5 ms cost a busy child a
 * third of a percent. With a longer interval, more long turns are missed: a turn that begins just after a look is seen
 * only if it takes longer than the interval and {@linkcode LATE_MS} together.
 */
const TICK_MS = 5;

/**
 * The milliseconds by which a look may be late: a turn that takes longer is long, if this process computed in most of
 * that time. Weighed: a turn that wrongly counts as long makes the child accept one connection at a time, and a long turn
 * that is missed holds up a client that an idle child could serve. A collection of garbage, the wait for a processor, and
 * handlers that parse and answer usually take less than 20 ms, and a client does not notice 20 ms. The number itself is
 * not measured.
 */
const LATE_MS = 20;

/**
 * The looks without a new request after which the timer stops: half a second. An idle child then no longer wakes, and a
 * child with several requests a second does not start the timer for each. Arbitrary within that.
 */
const REST_TICKS = 100;

/**
 * The number of requests without a long turn after which no long turn is expected. Weighed: until then the child serves
 * one connection at a time and returns the others, so its first requests are slow; with a smaller number, a class whose
 * handlers compute for some requests only is trusted too soon. The number itself is not measured.
 */
const PROVEN = 32;

/** Watches whether handlers hold up the event loop: none is expected to after {@linkcode PROVEN} requests without a long turn. */
export class TurnWatch {
  #timer: number | undefined;
  #last = 0;
  #used = 0;
  #rest = 0;
  #requests = 0;

  /** Whether no long turn is expected. */
  get proven(): boolean {
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
