/** The parts of a server, where its hooks cannot reach. */

import type { Source } from "../_socket/slot.ts";
import { runHandler } from "../_server/lifecycle.ts";
import { errorReport, reprAddress } from "../_server/report.ts";
import { Requests } from "../_server/requests.ts";
import { both, readyWithin, ServeLoop } from "../_server/serve_loop.ts";
import { assert, assertEquals, assertRejects } from "./deps.ts";
import { within } from "./server_helpers.ts";

/** A source that becomes ready when told, and counts who looks after its promise. */
class FakeSource implements Source {
  ready = false;
  watchers = 0;
  readonly #filled = Promise.withResolvers<void>();
  readonly #flight: Promise<void>;

  constructor() {
    const flight = this.#filled.promise;
    const then = flight.then.bind(flight);
    this.#flight = Object.assign(flight, {
      then: (...args: Parameters<typeof then>) => {
        this.watchers++;
        return then(...args);
      },
    });
  }

  fill(): Promise<void> {
    return this.#flight;
  }

  arrive(): void {
    this.ready = true;
    this.#filled.resolve();
  }
}

Deno.test("ServeLoop.wait() wakes for each tick, and looks after a flight once", async () => {
  const loop = new ServeLoop(1);
  const source = new FakeSource();
  for (let tick = 0; tick < 10; tick++) await within(loop.wait(source));
  assertEquals(source.watchers, 1);
  source.arrive();
  await within(loop.wait(source));
  loop.end();
});

Deno.test("ServeLoop.wait() wakes for the source and for the stop", async () => {
  const loop = new ServeLoop(undefined);
  const source = new FakeSource();
  const woken = loop.wait(source);
  assert(loop.waiting);
  source.arrive();
  await within(woken);
  assert(!loop.waiting);
  const stopped = loop.wait(new FakeSource());
  let ended = false;
  const stop = loop.stop().then(() => ended = true);
  await within(stopped);
  assertEquals(ended, false);
  loop.end();
  await within(stop);
  await loop.wait(new FakeSource()); // a loop that stops does not wait
  await loop.stop();
});

Deno.test("ServeLoop.fail() keeps the first error", async () => {
  const loop = new ServeLoop(undefined);
  loop.rethrow();
  loop.fail(new Error("first"));
  loop.fail(new Error("second"));
  assert(loop.stopping);
  await assertRejects(async () => await loop.rethrow(), Error, "first");
});

Deno.test("both() asks the second source when the first is ready", async () => {
  const [first, second] = [new FakeSource(), new FakeSource()];
  const source = both(first, second);
  assertEquals(source.ready, false);
  const filled = source.fill();
  first.arrive();
  await within(filled);
  assertEquals(source.ready, false);
  const again = source.fill();
  second.arrive();
  await within(again);
  assertEquals(source.ready, true);
});

Deno.test("readyWithin() waits on where another takes what was there", async () => {
  const flights = [
    Promise.withResolvers<void>(),
    Promise.withResolvers<void>(),
  ];
  const source = {
    ready: false,
    fill: () => flights[0].promise,
  };
  const waiting = readyWithin(source, null);
  const [{ resolve }] = flights.splice(0, 1);
  resolve(); // and it is gone already
  await Promise.resolve();
  source.ready = true;
  flights[0].resolve();
  assertEquals(await within(waiting), true);
  assertEquals(await readyWithin(new FakeSource(), 0.01), false);
  assertEquals(await readyWithin(new FakeSource(), -1), false);
});

Deno.test("reprAddress() writes addresses as Python does", () => {
  assertEquals(reprAddress(["127.0.0.1", 80]), "('127.0.0.1', 80)");
  assertEquals(reprAddress(["::1", 80]), "('::1', 80)");
  assertEquals(reprAddress(""), "''");
  assertEquals(reprAddress("/tmp/it's"), `"/tmp/it's"`);
  assertEquals(reprAddress(`/tmp/"it's"`), `'/tmp/"it\\'s"'`);
  assertEquals(reprAddress("\0\n\x1b[31m\\"), "'\\x00\\x0a\\x1b[31m\\\\'");
});

Deno.test("errorReport() shows both errors of a SuppressedError", () => {
  const error = new SuppressedError(
    new Error("of finish"),
    new Error("of handle"),
    "two",
  );
  const lines = errorReport(["127.0.0.1", 1], error).split("\n");
  const told = lines.filter((line) => /^(Error|During)/.test(line));
  assertEquals(told, [
    "Error: of handle",
    "During handling of the above exception, another exception occurred:",
    "Error: of finish",
  ]);
});

Deno.test("runHandler() takes hooks that are not async", async () => {
  const log: string[] = [];
  await runHandler({
    setup: () => void log.push("setup"),
    handle: () => void log.push("handle"),
    finish: () => void log.push("finish"),
  });
  assertEquals(log.join(), "setup,handle,finish");
});

Deno.test("Requests.detach() counts a request that a hook made", async () => {
  const requests = new Requests({});
  const { promise, resolve } = Promise.withResolvers<void>();
  requests.detach("made", promise);
  assertEquals(requests.size, 1);
  assertEquals(requests.room.ready, true);
  resolve();
  await within(requests.quiet.fill());
  assertEquals(requests.size, 0);
});
