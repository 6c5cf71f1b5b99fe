import { IdleWaits } from "../../internal/requests/idle_waits.ts";
import { BlockingIOError, TimeoutError } from "../../mod.ts";
import {
  MAX_DELAY,
  SharedTimer,
  StartTime,
  Timeout,
} from "../../internal/waiting/timeouts.ts";
import { poll } from "../../internal/waiting/turns.ts";
import { anyReady, whenReady } from "../../internal/waiting/when_ready.ts";
import {
  PendingOperation,
  type Readiness,
} from "../../internal/waiting/pending_operation.ts";
import {
  assert,
  assertEquals,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  delay,
  spy,
} from "../deps.ts";
import { timeoutByHand } from "../helpers/fakes.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

/** Resolves when the timeout has run out. */
function expired(timeout: Timeout): Promise<Error> {
  return new Promise((resolve) =>
    timeout.start((error) => resolve(error as Error))
  );
}

Deno.test("SharedTimer ends a timeout that is due before those that wait", async () => {
  const timer = new SharedTimer();
  let ended = false;
  new Timeout(timer, 60, "recv").start(() => ended = true);
  const alive = setInterval(() => {}, 1000); // the timer does not keep the event loop alive
  const error = await within(expired(new Timeout(timer, 0.01, "accept")));
  clearInterval(alive);
  assertEquals(
    error.message,
    "Cannot accept: timed out after 0.01 s (ETIMEDOUT)",
  );
  assertEquals(ended, false);
  timer.stop();
});

Deno.test("SharedTimer ends all that are due, in one go, and no other", async () => {
  const timer = new SharedTimer();
  const ended: number[] = [];
  const timeouts = [0.01, 0.01, 60, 0.012].map((seconds) =>
    new Timeout(timer, seconds, "recv")
  );
  for (const [index, timeout] of timeouts.entries()) {
    timeout.start(() => ended.push(index));
  }
  timeouts[1].cancel();
  await within(expired(new Timeout(timer, 0.02, "recv")));
  assertEquals(ended, [0, 3]);
  timer.stop();
});

Deno.test("SharedTimer ends one of more than a call may have arguments", async () => {
  const timer = new SharedTimer();
  for (let i = 0; i < 200_000; i++) {
    new Timeout(timer, 60, "sendto").start(() => {});
  }
  for (let i = 0; i < 2; i++) { // it looks for the next one after the first
    await within(expired(new Timeout(timer, 0.01, "sendto")));
  }
  timer.stop();
});

Deno.test("SharedTimer waits for more than setTimeout() can, which would not wait at all", () => {
  using timers = spy(globalThis, "setTimeout");
  const timer = new SharedTimer();
  new Timeout(timer, 1e9, "recv").start(() => {});
  assertEquals(timers.calls[0].args[1], MAX_DELAY);
  timer.stop();
});

Deno.test("SharedTimer that fires while nothing is due does not turn the event loop", async () => {
  const timer = new SharedTimer();
  const ended = new Timeout(timer, 0.01, "recv");
  ended.start(() => {});
  ended.cancel(); // its timer stays, for the next timeouts
  new Timeout(timer, 60, "recv").start(() => {});
  using turns = spy(globalThis, "setImmediate");
  using timers = spy(globalThis, "setTimeout");
  await delay(20);
  assert(timers.calls.some(({ args }) => args[1] as number > 1000)); // it has fired
  assertEquals(turns.calls.length, 0);
  timer.stop();
});

Deno.test("SharedTimer.stop() is for good", async () => {
  const timer = new SharedTimer();
  timer.stop();
  let ended = false;
  new Timeout(timer, 0.001, "recv").start(() => ended = true);
  await delay(20); // that nothing happens
  assertEquals(ended, false);
});

Deno.test("Timeout runs from when it is made, through all that its call waits for", async () => {
  const timer = new SharedTimer();
  const timeout = new Timeout(timer, 0.03, "recv");
  const begin = performance.now();
  for (let i = 0; i < 3; i++) assert(await timeout.race(Promise.resolve()));
  const never = Promise.withResolvers<void>();
  assertEquals(await within(timeout.race(never.promise)), false);
  const took = performance.now() - begin;
  assert(took >= 29 && took < 10_000, `${took} ms`);
  assertEquals(await within(timeout.race(never.promise)), false); // it stays due
  timer.stop();
});

/** A source that the test makes ready. */
class Switch implements Readiness {
  ready = false;
  fills = 0;
  #filled = Promise.withResolvers<void>();

  nextChange(): Promise<void> {
    this.fills++;
    return this.ready ? Promise.resolve() : this.#filled.promise;
  }

  set(ready: boolean): void {
    this.ready = ready;
    this.#filled.resolve();
    this.#filled = Promise.withResolvers();
  }
}

Deno.test("whenReady() takes at once what is ready", async () => {
  const source = new Switch();
  source.set(true);
  for (const limit of [null, "now", timeoutByHand()] as const) {
    assertEquals(await whenReady(source, limit, "recv", () => 5), 5);
  }
  assertEquals(source.fills, 0);
});

Deno.test("whenReady() waits on if another was first", async () => {
  const source = new Switch();
  for (const limit of [null, timeoutByHand()] as const) {
    const taken = whenReady(source, limit, "recv", () => source.ready);
    source.set(true);
    source.ready = false; // another took it
    await turn();
    source.set(true);
    assertEquals(await within(taken), true);
    source.ready = false;
  }
});

Deno.test("whenReady() that must not wait throws if another was first", async () => {
  let looks = 0;
  const source: Readiness = {
    get ready() {
      return ++looks === 3; // poll() sees it, and then it is gone
    },
    nextChange: () => Promise.resolve(),
  };
  await assertRejects(
    () => within(whenReady(source, "now", "recv", () => {})),
    BlockingIOError,
  );
});

Deno.test("whenReady() throws what take() throws, and TimeoutError when the time runs out", async () => {
  const source = new Switch();
  const timeout = timeoutByHand();
  const taken = whenReady(source, timeout, "recv", () => {});
  timeout.expire();
  await assertRejects(() => within(taken), TimeoutError);
  source.set(true);
  const take = () => {
    throw new Error("from take");
  };
  await assertRejects(
    () => whenReady(source, null, "recv", take),
    Error,
    "from take",
  );
});

Deno.test("whenReady() takes what comes with the timeout", async () => {
  const source = new Switch();
  const timeout = timeoutByHand();
  const taken = whenReady(source, timeout, "recv", () => "taken");
  timeout.expire();
  source.set(true);
  assertEquals(await within(taken), "taken");
});

Deno.test("poll() gives up after some turns", async () => {
  const source = new Switch();
  assertEquals(await within(poll(source)), false);
  const polled = poll(source);
  await turn();
  source.set(true);
  assertEquals(await within(polled), true);
});

Deno.test("anyReady() starts all sources, also if one is ready", async () => {
  for (const seconds of [null, 0, 60]) {
    const sources = [new Switch(), new Switch(), new Switch()];
    sources[1].set(true);
    await within(anyReady(sources, seconds));
    assertEquals(sources.map(({ fills }) => fills), [1, 1, 1]);
  }
});

Deno.test("anyReady() lets others go on if a source is always ready", async () => {
  const source = new Switch();
  source.set(true);
  let turned = false;
  setImmediate(() => turned = true);
  for (let i = 0; i < 3; i++) await anyReady([source], null);
  assert(turned);
});

Deno.test("anyReady() waits on if another was first, until the time runs out", async () => {
  const source = new Switch();
  const waited = anyReady([source, new Switch()], 0.02);
  source.set(true);
  source.ready = false;
  await within(waited);
  assertEquals(source.ready, false);
  const next = anyReady([source], null);
  source.set(true);
  await within(next);
});

Deno.test("anyReady() wakes for an operation that fails", async () => {
  const operation = new PendingOperation(() =>
    Promise.reject(new Error("failed"))
  );
  await within(anyReady([new Switch(), operation], null));
  assertEquals(operation.ready, true);
});

/** Keeps the thread busy. */
function hog(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

Deno.test("StartTime is shared by what begins in one run of the microtasks", async () => {
  await turn();
  const first = StartTime.current();
  await undefined;
  await turn();
  const second = StartTime.current();
  const third = StartTime.current();
  assertNotStrictEquals(first, second);
  assertStrictEquals(second, third);
  await turn();
  assert(first.time <= second.time);
});

Deno.test("StartTime is never before the call has begun", async () => {
  const early = StartTime.current();
  hog(5);
  const late = StartTime.current();
  const begun = performance.now();
  assert(late.time >= begun);
  assertEquals(early.time, late.time);
  hog(5);
  const next = StartTime.current();
  assert(next.time >= late.time + 5);
  await turn();
  assert(next.time < performance.now());
});

Deno.test("IdleWait ends once, though the server drains after its timeout", () => {
  const waits = new IdleWaits();
  const timeout = timeoutByHand();
  let ends = 0;
  waits.begin(undefined, timeout).start(() => ends++);
  timeout.expire();
  assertStrictEquals(ends, 1);
  waits.end();
  assertStrictEquals(ends, 1);
});
