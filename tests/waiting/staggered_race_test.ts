/** The race of attempts, with a clock that the test moves. */

import {
  type Pause,
  staggeredRace,
} from "../../internal/waiting/staggered_race.ts";
import { assertEquals, assertRejects, assertStrictEquals } from "../deps.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

/** Attempts that the test ends, a clock that the test moves, and what happens. */
class Course {
  readonly log: string[] = [];
  readonly attempts: PromiseWithResolvers<string>[] = [];
  #next: (() => void) | undefined;

  constructor(count: number) {
    for (let each = 0; each < count; each++) {
      this.attempts.push(Promise.withResolvers());
    }
  }

  readonly #pause: Pause = (seconds, next) => {
    this.log.push(`pause ${seconds}`);
    this.#next = next;
    return () => this.#next = undefined;
  };

  /** Ends the pause. */
  elapse(): void {
    const next = this.#next!;
    this.#next = undefined;
    next();
  }

  /** Whether a pause runs. */
  get paused(): boolean {
    return this.#next !== undefined;
  }

  run(delay: number | null, signal?: AbortSignal): Promise<string> {
    const attempts = this.attempts.map(
      ({ promise }, index) => (over: AbortSignal) => {
        this.log.push(`begin ${index}`);
        over.addEventListener("abort", () => this.log.push(`abort ${index}`));
        return promise;
      },
    );
    const discard = (result: string) => void this.log.push(`discard ${result}`);
    const race = staggeredRace(attempts, {
      delay,
      discard,
      signal,
      pause: this.#pause,
    });
    race.catch(() => {});
    return race;
  }
}

Deno.test("staggeredRace() begins an attempt after each delay, and aborts those that lose", async () => {
  const course = new Course(3);
  const race = course.run(0.25);
  assertEquals(course.log, ["begin 0", "pause 0.25"]);
  course.elapse();
  course.elapse();
  assertEquals(course.paused, false); // nothing is left to begin
  course.attempts[1].resolve("second");
  assertEquals(await within(race), "second");
  assertEquals(course.log.slice(2), [
    ...["begin 1", "pause 0.25", "begin 2"],
    ...["abort 0", "abort 1", "abort 2"],
  ]);
});

Deno.test("staggeredRace() ends the delay when an attempt fails", async () => {
  const course = new Course(3);
  const race = course.run(0.25);
  course.attempts[0].reject(new Error("zero"));
  await turn();
  assertEquals(course.log, ["begin 0", "pause 0.25", "begin 1", "pause 0.25"]);
  course.attempts[1].resolve("one");
  assertEquals(await within(race), "one");
  assertEquals(course.paused, false, "paused");
  assertEquals(course.log.includes("begin 2"), false, "begun");
});

Deno.test("staggeredRace() without a delay begins an attempt when the last one has failed", async () => {
  const course = new Course(2);
  const race = course.run(null);
  await turn();
  assertEquals(course.log, ["begin 0"]);
  course.attempts[0].reject(new Error("zero"));
  await turn();
  assertEquals(course.log, ["begin 0", "begin 1"]);
  course.attempts[1].resolve("one");
  assertEquals(await within(race), "one");
});

Deno.test("staggeredRace() discards successes that come too late", async () => {
  const course = new Course(3);
  const race = course.run(0);
  course.elapse();
  course.elapse();
  for (const index of [2, 0]) course.attempts[index].resolve(`${index}`);
  assertEquals(await within(race), "2"); // the first
  course.attempts[1].resolve("1");
  await turn();
  assertEquals(course.log.slice(-2), ["discard 0", "discard 1"]);
});

Deno.test("staggeredRace() throws all errors, in the order of the attempts", async () => {
  const course = new Course(3);
  const race = course.run(0);
  course.elapse();
  course.elapse();
  for (const index of [2, 0, 1]) course.attempts[index].reject(index);
  const error = await assertRejects(() => within(race), AggregateError);
  assertEquals(error.errors, [0, 1, 2]);
});

Deno.test("staggeredRace() waits for an attempt that runs when the last one fails", async () => {
  const course = new Course(2);
  const race = course.run(0);
  course.elapse();
  course.attempts[1].reject(new Error("one"));
  await turn();
  course.attempts[0].resolve("zero");
  assertEquals(await within(race), "zero");
});

Deno.test("staggeredRace() ends all attempts when its signal aborts", async () => {
  const course = new Course(3);
  const controller = new AbortController();
  const race = course.run(0.25, controller.signal);
  course.elapse();
  const reason = new Error("enough");
  course.attempts[0].resolve("too late"); // in the turn of the abort
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => within(race)), reason);
  await turn();
  assertEquals(course.paused, false);
  assertEquals(course.log.slice(-3), [
    "abort 0",
    "abort 1",
    "discard too late",
  ]);
});

Deno.test("staggeredRace() begins no attempt if its signal has aborted before", async () => {
  const course = new Course(2);
  const reason = new Error("enough");
  const race = course.run(0.25, AbortSignal.abort(reason));
  assertStrictEquals(await assertRejects(() => within(race)), reason);
  assertEquals(course.log, []);
});
