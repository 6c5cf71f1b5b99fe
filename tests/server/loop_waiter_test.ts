/** The wait of a server's loop: for a request, a stop, or a tick. */

import {
  PendingOperation,
  type Readiness,
} from "../../internal/waiting/pending_operation.ts";
import {
  bothReady,
  LoopWaiter,
  readyWithin,
} from "../../internal/server/loop_waiter.ts";
import { assert, assertEquals } from "../deps.ts";
import { within } from "../helpers/within.ts";

/** A source that a test makes ready, and that counts the reactions to its promise. */
class FakeSource implements Readiness {
  ready = false;
  reactions = 0;
  readonly #changed = Promise.withResolvers<void>();
  readonly #flight: Promise<void>;

  constructor() {
    const flight = this.#changed.promise;
    const then = flight.then.bind(flight);
    this.#flight = Object.assign(flight, {
      then: (...args: Parameters<typeof then>) => {
        this.reactions++;
        return then(...args);
      },
    });
  }

  nextChange(): Promise<void> {
    return this.#flight;
  }

  arrive(): void {
    this.ready = true;
    this.#changed.resolve();
  }
}

Deno.test("LoopWaiter.wait() ends at each tick, and reacts to a pending operation once", async () => {
  const waiter = new LoopWaiter(1);
  const source = new FakeSource();
  for (let ticks = 0; ticks < 10;) {
    await within(waiter.wait(source));
    if (waiter.takeTick()) ticks++;
  }
  assertEquals(source.reactions, 1);
  waiter.end();
});

Deno.test("LoopWaiter.wait() waits for the source, or the stop", async () => {
  const waiter = new LoopWaiter(undefined);
  const source = new FakeSource();
  const first = waiter.wait(source);
  assert(waiter.waiting);
  source.arrive();
  await within(first);
  assertEquals(waiter.waiting, false);
  const second = waiter.wait(new FakeSource());
  let told = false;
  const stop = waiter.stop().then(() => told = true);
  await within(second);
  assertEquals(waiter.stopping, true, "stopping");
  assertEquals(told, false, "told");
  waiter.end();
  await within(stop);
  await within(waiter.stop());
});

Deno.test("LoopWaiter.pause() does not end at a tick, and keeps none for later", async () => {
  const waiter = new LoopWaiter(1);
  const from = performance.now();
  await waiter.pause(20);
  assert(performance.now() - from > 15);
  assertEquals(waiter.takeTick(), false);
  waiter.end();
});

Deno.test("bothReady() waits for the second source once the first is ready", async () => {
  const [first, second] = [new FakeSource(), new FakeSource()];
  const source = bothReady(first, second);
  assertEquals(source.ready, false);
  const changed = source.nextChange();
  first.arrive();
  await within(changed);
  assertEquals(source.ready, false);
  const again = source.nextChange();
  second.arrive();
  await within(again);
  assertEquals(source.ready, true);
});

Deno.test("readyWithin() continues to wait if another caller takes the request", async () => {
  const flights = [
    Promise.withResolvers<void>(),
    Promise.withResolvers<void>(),
  ];
  const source = {
    ready: false,
    nextChange: () => flights[0].promise,
  };
  const waiting = readyWithin(source, null);
  const [{ resolve }] = flights.splice(0, 1);
  resolve(); // and another caller took it
  await Promise.resolve();
  source.ready = true;
  flights[0].resolve();
  assertEquals(await within(waiting), true);
  assertEquals(await readyWithin(new FakeSource(), 0.01), false);
  assertEquals(await readyWithin(new FakeSource(), -1), false);
});

Deno.test("LoopWaiter.wait() watches one operation at a time, and none after end()", async () => {
  const waiter = new LoopWaiter(undefined);
  const gates: PromiseWithResolvers<string>[] = [];
  const operations = [0, 1].map(() =>
    new PendingOperation(() => {
      const gate = Promise.withResolvers<string>();
      gates.push(gate);
      return gate.promise;
    })
  );
  const [first, second] = operations;
  for (const [i, operation] of [first, first, second].entries()) {
    const waited = waiter.wait(operation);
    gates[i].resolve("there");
    await within(waited);
    operation.take();
  }
  assertEquals(operations.map(({ watchers }) => watchers.size), [0, 1]);
  waiter.end();
  assertEquals(second.watchers.size, 0);
});
