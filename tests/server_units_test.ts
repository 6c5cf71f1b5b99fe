/** The parts of a server, where its hooks cannot reach. */

import {
  PendingOperation,
  type Readiness,
} from "../internal/waiting/pending_operation.ts";
import { runOwnTask } from "../internal/server/request_stages.ts";
import { runHandler } from "../internal/server/run_handler.ts";
import { errorReport, reprAddress } from "../internal/stages/report.ts";
import { Requests, requestsOf } from "../internal/requests/request_registry.ts";
import {
  bothReady,
  LoopWaiter,
  readyWithin,
} from "../internal/server/loop_waiter.ts";
import { BaseRequestHandler } from "../handlers.ts";
import type { BaseServer } from "../server.ts";
import { Socket } from "../socket.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "./deps.ts";
import { within } from "./helpers/within.ts";

/** A source that becomes ready when told, and counts the reactions to its promise. */
class FakeSource implements Readiness {
  ready = false;
  reactions = 0;
  readonly #filled = Promise.withResolvers<void>();
  readonly #flight: Promise<void>;

  constructor() {
    const flight = this.#filled.promise;
    const then = flight.then.bind(flight);
    this.#flight = Object.assign(flight, {
      then: (...args: Parameters<typeof then>) => {
        this.reactions++;
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

Deno.test("LoopWaiter.wait() ends at each tick, and looks after a flight once", async () => {
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

Deno.test("LoopWaiter.pause() does not end at a tick, nor keep it", async () => {
  const waiter = new LoopWaiter(1);
  const from = performance.now();
  await waiter.pause(20);
  assert(performance.now() - from > 15);
  assertEquals(waiter.takeTick(), false);
  waiter.end();
});

Deno.test("bothReady() asks the second source when the first is ready", async () => {
  const [first, second] = [new FakeSource(), new FakeSource()];
  const source = bothReady(first, second);
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

Deno.test("Requests knows each request under way, in whatever order they come and go", () => {
  const requests = new Requests({});
  const [a, b, c] = ["a", "b", "c"].map((name) => requests.begin(name));
  const left = () => Array.from(requests, ({ request }) => request).join();
  assertEquals(left(), "a,b,c", "left");
  assertEquals(requests.size, 3, "size");
  assertStrictEquals(requests.detach("a"), a);
  assertEquals(a.detached, true, "aDetached");
  assertEquals(b.detached, false, "bDetached");
  const d = requests.begin("d");
  for (const _twice of [1, 2]) requests.end(b);
  assertEquals(left(), "a,c,d", "left");
  assertEquals(requests.size, 3, "size");
  assertEquals(b.end, "finished", "end");
  requests.end(d);
  requests.end(a);
  assertStrictEquals(requests.detach("c"), c);
  assertEquals(requests.giveUp(), [c]);
  requests.end(c);
  assertEquals(left(), "", "left");
  assertEquals(requests.size, 0, "size");
  assertEquals(c.end, "forced", "end");
});

Deno.test("Requests.replace() has the new request drained, cut off and ended", async () => {
  const requests = new Requests({});
  const [former, current] = [new Socket(), new Socket()];
  const active = requests.begin(former, ["192.0.2.1", 1]);
  const signal = requests.signal(former);
  requests.replace(former, current);
  assertStrictEquals(requests.signal(current), signal);
  assertEquals(requests.size, 1, "size");
  assertEquals(active.request === current, true, "replaced");
  assertEquals(requests.giveUp(), [active]);
  assert(!requests.reports(current), "cut off");
  const late = new Socket();
  requests.replace(current, late); // the server has given the request up
  assertEquals(late.fileno(), -1, "fileno");
  assertEquals(requests.reports(late), false, "reports");
  assertStrictEquals(requests.replaced!.currentOf(former), late);
  requests.replaced!.closeFormer(late);
  assertEquals(former.fileno(), -1, "formerFileno");
  assertEquals(current.fileno(), -1, "currentFileno");
  requests.replace(late, late);
  await undefined;
});

Deno.test("Requests counts a request that is got twice, and ends each", () => {
  const requests = new Requests({});
  const [first, second] = [requests.begin("one"), requests.begin("one")];
  assertEquals(requests.size, 2);
  requests.end(first);
  assertStrictEquals(requests.detach("one"), second);
  requests.end(second);
  assertEquals(requests.size, 0, "size");
  assertEquals(requests.quiet.ready, true, "ready");
});

Deno.test("Requests finds a request by its object, among others", () => {
  const requests = new Requests({});
  const [a, b, c] = ["a", "b", "c"].map((name) => requests.begin(name));
  const isAt = (active: unknown, name: string) =>
    assert(requests.of(name) === active, name);
  isAt(c, "c");
  isAt(a, "a");
  isAt(undefined, "d");
  requests.replace("b", "d");
  isAt(b, "d");
  const e = requests.begin("e");
  isAt(e, "e");
  isAt(b, "d");
  requests.end(e);
  requests.end(a);
  isAt(undefined, "e");
  isAt(undefined, "a");
  isAt(c, "c");
  assertEquals(requests.giveUp().map(({ request }) => request), ["d", "c"]);
  isAt(undefined, "d");
  assertEquals(requests.size, 0);
});

Deno.test("LoopWaiter.wait() is ended by an operation itself, until the loop ends", async () => {
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

Deno.test("runHandler() calls a finish() that was added later", async () => {
  class Handler extends BaseRequestHandler<undefined> {
    override handle = () => Promise.reject(new Error("no"));
  }
  const run = async () =>
    await runHandler(new Handler(undefined, ["", 0], {} as never));
  await assertRejects(run, Error, "no");
  const finish = Handler.prototype.finish;
  let finished = 0;
  Handler.prototype.finish = () => void finished++;
  await assertRejects(run, Error, "no");
  Handler.prototype.finish = finish;
  assertEquals(finished, 1);
});

Deno.test("Requests.detach() counts a request that a hook made", async () => {
  const server = {} as BaseServer;
  const requests = requestsOf(server);
  const active = requests.detach("made");
  const { promise, resolve } = Promise.withResolvers<void>();
  const task = runOwnTask(server, active, "", () => promise);
  assertEquals(requests.size, 1);
  assertEquals(requests.room.ready, true);
  resolve();
  await within(requests.quiet.fill());
  assertEquals(requests.size, 0);
  await within(task);
});
