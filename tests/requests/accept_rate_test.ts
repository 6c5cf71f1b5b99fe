/** The rate at which a server accepts: a bucket of tokens. */

import { AcceptRate, type Clock } from "../../internal/requests/accept_rate.ts";
import { assertEquals } from "../deps.ts";
import { within } from "../helpers/within.ts";

/** A clock that a test advances, and that runs its timers on time. */
class TestClock implements Clock {
  ms = 0;
  readonly #timers = new Map<number, [due: number, callback: () => void]>();
  #count = 0;
  now(): number {
    return this.ms;
  }
  setTimeout(callback: () => void, ms: number): number {
    this.#timers.set(++this.#count, [this.ms + ms, callback]);
    return this.#count;
  }
  clearTimeout(timer: unknown) {
    this.#timers.delete(timer as number);
  }
  /** Returns the time until the next timer; undefined if there is none. */
  get next(): number | undefined {
    const dues = [...this.#timers.values()].map(([due]) => due - this.ms);
    return dues.length === 0 ? undefined : Math.min(...dues);
  }
  advance(ms: number) {
    this.ms += ms;
    for (const [timer, [due, callback]] of [...this.#timers]) {
      if (due > this.ms || !this.#timers.delete(timer)) continue;
      callback();
    }
  }
}

/** Returns the number of connections that are allowed now. */
function takeAll(rate: AcceptRate): number {
  let count = 0;
  while (rate.take()) count++;
  return count;
}

Deno.test("AcceptRate allows the connections of one second at once, and then the rate", () => {
  for (
    const [perSecond, burst] of [
      [1, 1],
      [0.5, 1],
      [3, 3],
      [100, 100],
      [2.5, 2],
      [1000, 1000],
    ]
  ) {
    const clock = new TestClock();
    let waits = 0;
    const rate = new AcceptRate(() => waits++, clock);
    assertEquals(rate.ready, true, "ready");
    assertEquals(rate.rate, Infinity, "rate");
    rate.rate = perSecond;
    assertEquals(takeAll(rate), burst);
    let taken = 0;
    while (clock.ms < 60_000) {
      void rate.nextChange();
      void rate.nextChange(); // as a tick of the loop does
      clock.advance(clock.next!);
      assertEquals(rate.take(), true, "the timer is not early");
      taken++;
    }
    assertEquals(waits, taken, "each connection that had to wait");
    const seconds = clock.ms / 1000;
    const most = perSecond * seconds;
    assertEquals(
      taken <= most && taken > most * 0.9,
      true,
      `${taken} of ${most}`,
    );
    clock.advance(1000 * Math.max(1, 1 / perSecond));
    assertEquals(takeAll(rate), burst, "the burst is there again");
    assertEquals(clock.next, undefined, "no timer is left");
  }
});

Deno.test("AcceptRate ends a wait when the rate changes, and waits by the new rate", async () => {
  const clock = new TestClock();
  const rate = new AcceptRate(() => {}, clock);
  rate.rate = 0.001;
  assertEquals(takeAll(rate), 1);
  const waiting = rate.nextChange();
  assertEquals(rate.ready, false, "ready");
  assertEquals(clock.next, 1_000_000, "next");
  rate.rate = 100;
  await within(waiting);
  assertEquals(clock.next, undefined);
  assertEquals(takeAll(rate), 1); // and not a burst: the bucket was empty
  void rate.nextChange();
  assertEquals(clock.next, 10);
  rate.rate = Infinity;
  assertEquals(rate.ready, true, "ready");
  assertEquals(clock.next, undefined, "next");
  assertEquals(rate.take(), true, "take");
  rate.rate = Number.MIN_VALUE; // 1000 ms times this exceed a number
  assertEquals(takeAll(rate), 1);
  void rate.nextChange();
  assertEquals(clock.next! > 1e9, true);
  rate.rate = Infinity;
});
