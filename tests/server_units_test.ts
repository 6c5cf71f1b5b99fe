/** The parts of a server, where its hooks cannot reach. */

import {
  PendingOperation,
  type Readiness,
} from "../internal/waiting/pending_operation.ts";
import { ActiveRequests } from "../internal/server/active_requests.ts";
import { runHandler } from "../internal/server/steps.ts";
import { errorReport, reprAddress } from "../internal/server/report.ts";
import { Requests } from "../internal/server/request_registry.ts";
import { both, readyWithin, ServeLoop } from "../internal/server/serve_loop.ts";
import { BaseRequestHandler } from "../handlers.ts";
import type { BaseServer } from "../server.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "./deps.ts";
import { within } from "./server_helpers.ts";

/** A source that becomes ready when told, and counts who looks after its promise. */
class FakeSource implements Readiness {
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

Deno.test("ServeLoop.run() goes on at each tick, and looks after a flight once", async () => {
  const loop = new ServeLoop(1);
  const source = new FakeSource();
  let ticks = 0;
  const ended = loop.run(() => {
    if (source.ready) loop.stop();
    else if (loop.takeTick() && ++ticks === 10) source.arrive();
    return source;
  });
  await within(ended);
  assertEquals([ticks, source.watchers], [10, 1]);
  loop.end();
});

Deno.test("ServeLoop.run() waits for the source, a promise, and the stop", async () => {
  const loop = new ServeLoop(undefined);
  const source = new FakeSource();
  const { promise, resolve } = Promise.withResolvers<void>();
  const steps = [source, promise, undefined, new FakeSource()];
  const ended = loop.run(() => steps.shift());
  assert(loop.waiting);
  source.arrive();
  await source.fill();
  assertEquals([loop.waiting, steps.length], [false, 2]);
  resolve();
  await promise;
  assertEquals([loop.waiting, steps.length], [true, 0]);
  let told = false;
  const stop = loop.stop().then(() => told = true);
  await within(ended);
  assertEquals(told, false);
  loop.end();
  await within(stop);
  await within(loop.run(() => assert(false) as undefined)); // a loop that stops does nothing
  await loop.stop();
});

Deno.test("ServeLoop.run() rejects with what a round throws, or rejects with", async () => {
  const error = new Error("no");
  const fail = () => {
    throw error;
  };
  for (const round of [fail, () => Promise.reject(error)]) {
    const loop = new ServeLoop(undefined);
    await within(assertRejects(() => loop.run(round), Error, "no"));
    loop.end();
  }
});

Deno.test("ServeLoop.pause() does not end at a tick, nor keep it", async () => {
  const loop = new ServeLoop(1);
  const from = performance.now();
  await loop.pause(20);
  assert(performance.now() - from > 15);
  assertEquals(loop.takeTick(), false);
  loop.end();
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

Deno.test("runHandler() gives no promise where no hook gave one", () => {
  const runnable = { setup() {}, handle() {}, finish() {} };
  assertEquals(runHandler(runnable), undefined);
});

Deno.test("runHandler() waits for whatever a hook gives, as await does", async () => {
  const log: string[] = [];
  const thenable = (name: string): Promise<void> =>
    ({ then: (done: () => void) => (log.push(name), done()) }) as never;
  await runHandler({
    setup: () => thenable("setup"),
    handle: () => thenable("handle"),
    finish: () => 5 as never,
  });
  assertEquals(log, ["setup", "handle"]);
});

for (const how of ["throws", "rejects"]) {
  Deno.test(`runHandler() calls finish() with the failure where handle() ${how}`, async () => {
    const failed = new Error("handle");
    const runnable = {
      failure: undefined as unknown,
      seen: undefined as unknown,
      setup() {},
      handle() {
        if (how === "rejects") return Promise.reject(failed);
        throw failed;
      },
      finish() {
        this.seen = this.failure;
      },
    };
    await assertRejects(
      async () => await runHandler(runnable),
      Error,
      "handle",
    );
    assertEquals(runnable.seen, failed);
  });
}

Deno.test("ActiveRequests finds each of them, in whatever order they come and go", () => {
  const all = new ActiveRequests();
  const [a, b, c] = ["a", "b", "c"].map((name) => all.add(name, undefined));
  const left = () => Array.from(all, ({ request }) => request).join();
  assertEquals([left(), all.size], ["a,b,c", 3]);
  assertEquals(["a", "b", "c"].map((name) => all.find(name)), [a, b, c]);
  assertEquals(all.find("d"), undefined);
  const d = all.add("d", undefined);
  assertEquals([all.delete(b), all.delete(b), left()], [true, false, "a,c,d"]);
  assertEquals([all.delete(d), left(), all.find("d")], [
    true,
    "a,c",
    undefined,
  ]);
  assertEquals([all.delete(a), left(), all.find("c")], [true, "c", c]);
  all.clear();
  assertEquals([all.delete(c), left(), all.size], [false, "", 0]);
  assertEquals(all.find("c"), undefined);
});

Deno.test("ServeLoop.run() is called by an operation itself, until the loop ends", async () => {
  const loop = new ServeLoop(undefined);
  const gates: PromiseWithResolvers<string>[] = [];
  const operations = [0, 1].map(() =>
    new PendingOperation(() => {
      const gate = Promise.withResolvers<string>();
      gates.push(gate);
      return gate.promise;
    })
  );
  const turns = [operations[0], operations[0], operations[1], operations[1]];
  const ended = loop.run(() => {
    if (turns[0].ready) turns.shift()!.take();
    return turns[0];
  });
  for (
    const [i, operation] of [operations[0], operations[0], operations[1]]
      .entries()
  ) {
    const { settled } = operation;
    gates[i].resolve("there");
    await settled;
  }
  assertEquals(turns.length, 1);
  assertEquals(operations.map(({ watchers }) => watchers.size), [0, 1]);
  loop.stop();
  await within(ended);
  loop.end();
  assertEquals(operations[1].watchers.size, 0);
});

Deno.test("runHandler() gives what handle() gives where finish() was not overridden", async () => {
  class Handler extends BaseRequestHandler<undefined> {
    override handle = () => promise;
  }
  const { promise, reject } = Promise.withResolvers<void>();
  const run = () => runHandler(new Handler(undefined, "", {} as BaseServer));
  const step = run();
  assertStrictEquals(step, promise);
  reject(new Error("no"));
  await assertRejects(async () => await step, Error, "no");
  const finish = Handler.prototype.finish;
  let finished = 0;
  Handler.prototype.finish = () => void finished++;
  await assertRejects(async () => await run(), Error, "no");
  Handler.prototype.finish = finish;
  assertEquals(finished, 1);
});

Deno.test("Requests.detach() counts a request that a hook made", async () => {
  const requests = new Requests({});
  const { promise, resolve } = Promise.withResolvers<void>();
  const active = requests.detach("made", {} as BaseServer, "");
  requests.endAfter(active, promise);
  assertEquals(requests.size, 1);
  assertEquals(requests.room.ready, true);
  resolve();
  await within(requests.quiet.fill());
  assertEquals(requests.size, 0);
});
