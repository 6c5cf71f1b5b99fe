/**
 * PoolChild gives requests to one child process of a server, checks what the child says, limits the time that it takes,
 * and ends it.
 */

import { once } from "node:events";
import { connect, createServer, type Socket as NetSocket } from "node:net";
import { streamExecutor } from "../../internal/children/call_executor.ts";
import type { Job } from "../../internal/children/child_job.ts";
import { OPERATIONS } from "../../internal/children/messages.ts";
import type { PoolChild } from "../../internal/children/pool_child.ts";
import { descriptorsChecked } from "../../internal/waiting/turns.ts";
import { OSError, Socket } from "../../mod.ts";
import {
  fakeAcceptingChild,
  fakeJob,
  type FakePoolChild,
  fakeReadyChild,
  fakeStartingChild,
} from "./children_fakes.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  fakeTime,
} from "../deps.ts";
import { FrozenClock, turn } from "../helpers/turns.ts";
import { until, within } from "../helpers/within.ts";

/** A connection of `node:net`, to be handed to a child that is none. */
async function connection(): Promise<NetSocket> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const client = connect(port, "127.0.0.1");
  const [socket] = await once(server, "connection");
  server.close();
  socket.on("close", () => client.destroy());
  return socket;
}

/** Gives a child a request. */
const run = (poolChild: PoolChild, rest?: Partial<Job>) =>
  poolChild.run(fakeJob(rest));

Deno.test("PoolChild whose connection cannot be sent ends the request, and goes on", async () => {
  const { child, poolChild } = fakeReadyChild();
  const refusals = [
    { thrown: Object.assign(new Error(), { code: "ERR_INVALID_HANDLE_TYPE" }) },
    { later: Object.assign(new Error("too many"), { code: "ETOOMANYREFS" }) },
  ];
  for (const refusal of refusals) {
    const socket = await connection();
    child.refusal = refusal;
    await assertRejects(
      () => within(run(poolChild, { socket })),
      Error,
    );
    assert(socket.destroyed);
    child.refusal = {};
    assertEquals(poolChild.load, 0);
    assertEquals(poolChild.caughtUp, true);
    assertEquals(poolChild.open, true);
    const next = await connection();
    const ran = run(poolChild, { socket: next });
    assertStrictEquals(child.sent.at(-1)![1], next);
    next.destroy(); // as Deno does when the child has it, or has died
    await once(next, "close");
    assertEquals(poolChild.caughtUp, false);
    child.say({ type: "acknowledge", id: poolChild.requests.assigned });
    assert(poolChild.caughtUp);
    child.say({ type: "done", ids: [poolChild.requests.assigned], ms: 1 });
    await within(ran);
  }
  assertEquals(child.signals, []);
});

Deno.test("PoolChild says that no descriptor was left if Deno speaks of a handle", async () => {
  const { child, poolChild } = fakeReadyChild();
  const socket = await connection();
  const thrown = Object.assign(new Error(), {
    code: "ERR_INVALID_HANDLE_TYPE",
  });
  child.refusal = { thrown };
  const error = await assertRejects(() => run(poolChild, { socket }));
  assertInstanceOf(error, OSError);
  assertStrictEquals(error.code, "EMFILE");
  assertStrictEquals(error.cause, thrown);
});

Deno.test("PoolChild takes no more once its channel breaks, and fails the request of the connection at its exit", async () => {
  for (const code of ["ERR_IPC_DISCONNECTED", "EPIPE"]) {
    const { child, poolChild } = fakeReadyChild();
    child.refusal = { later: Object.assign(new Error("closed"), { code }) };
    const socket = await connection();
    const ran = run(poolChild, { socket }).catch((error) => error);
    await once(socket, "close");
    await turn();
    assertEquals(poolChild.open, false);
    child.exit(3);
    const { name, message } = await within(ran);
    assertEquals(
      `${name}: ${message}`,
      "ChildProcessError: Child process 1 ended (exit code 3)",
    );
  }
});

Deno.test("PoolChild sends a request without its connection if the client is gone", async () => {
  const { child, poolChild } = fakeReadyChild();
  const socket = await connection();
  socket.destroy();
  await once(socket, "close");
  const ran = run(poolChild, { socket });
  assertEquals(child.sent.at(-1)![1], undefined);
  child.say({ type: "done", ids: [1], ms: 0 });
  await within(ran);
});

Deno.test("PoolChild is free again when a request without a connection was taken, asked for, or ended", async () => {
  let freed = 0;
  const { child, poolChild } = fakeReadyChild({}, () => freed++);
  freed = 0; // a child that is ready can take its first request
  const execute = () => Promise.resolve();
  for (
    const [id, message] of [
      { type: "acknowledge" },
      { type: "call", call: 1, operation: "close" },
      { type: "done", ms: 1 },
      { type: "error", error: { name: "", message: "", thrown: "thrown" } },
    ].entries()
  ) {
    const ran = run(poolChild, { execute });
    ran.catch(() => {});
    assertStrictEquals(poolChild.caughtUp, false);
    child.say({ ...message, id: id + 1, ids: [id + 1] });
    assertEquals(poolChild.caughtUp, true);
    assertEquals(freed, id + 1);
  }
  await Promise.resolve();
  assertEquals(child.signals, []);
});

Deno.test("PoolChild that ends one of its requests is seen to get on", () => {
  const { child, poolChild } = fakeReadyChild();
  for (let i = 0; i < 2; i++) run(poolChild);
  const begun = poolChild.requests.lastProgress;
  const now = performance.now();
  child.say({ type: "done", ids: [1], ms: 1 });
  assert(begun <= now && poolChild.requests.lastProgress >= now);
});

Deno.test("PoolChild does not kill a child for a request that ended in time", async () => {
  using clock = new FrozenClock();
  using time = await fakeTime();
  const { child, poolChild } = fakeReadyChild({ childTimeout: 0.05 });
  const ran = run(poolChild);
  child.say({ type: "done", ids: [1], ms: 1 });
  await within(ran);
  const failed = run(poolChild);
  child.say({
    type: "error",
    id: 2,
    error: { thrown: "", name: "", message: "" },
  });
  await within(failed.catch(() => {}));
  clock.advance(150); // longer than childTimeout
  time.tick(150);
  await descriptorsChecked(); // a request that is late is ended after that
  assertEquals(child.signals, []);
  const killed = assertRejects(
    () => run(poolChild),
    Error,
    "the request took longer than childTimeout",
  );
  clock.advance(150);
  time.tick(150);
  await killed;
  assertEquals(child.signals, ["SIGKILL"]);
});

Deno.test("PoolChild limits the time of the start", async () => {
  using time = await fakeTime();
  const hangs = fakeStartingChild();
  time.tick(60_000);
  assertEquals(hangs.child.signals, ["SIGKILL"]);
  const message = "file:///handlers.ts has not loaded within 60 s";
  assertStringIncludes(String(hangs.poolChild.failure), message);
  assertEquals((await hangs.poolChild.exited).reason, "load");
  const ended = fakeStartingChild();
  ended.child.exit(1);
  await ended.poolChild.exited;
  time.tick(60_000);
  assertEquals(ended.child.signals, []);
});

Deno.test("PoolChild remembers why it has ended a child that was not ready, and not that something else has, or a close", async () => {
  using time = await fakeTime();
  const told: string[] = [];
  for (
    const end of [
      ({ child }) => child.emit("message", null),
      ({ child }) => child.emit("disconnect"),
      ({ child }) => child.exit(3),
      ({ child }) => child.emit("exit", null, "SIGABRT"),
      ({ child }) => child.emit("exit", null, "SIGKILL"),
      ({ poolChild }) => poolChild.kill("the server was closed", "closed"),
      ({ child, poolChild }) => {
        poolChild.leave("closed");
        child.exit(0);
      },
    ] as ((fake: FakePoolChild) => void)[]
  ) {
    const fake = fakeStartingChild();
    end(fake);
    time.tick(1000);
    await fake.poolChild.exited;
    told.push(String(fake.poolChild.failure).replace(/^.*?\(/, ""));
  }
  assertMatch(told[0], /SIGKILL: it sent a message/);
  assertMatch(told[1], /SIGKILL: it did not exit/);
  const others = ["exit code 3)", "killed by SIGABRT)"];
  const none = ["undefined", "undefined", "undefined"];
  assertEquals(told.slice(2), [...others, ...none]);
});

Deno.test("PoolChild stops the server's loop for a child, and answers with its error", async () => {
  const gate = Promise.withResolvers<void>();
  let calls = 0;
  const shutdown = () => {
    calls++;
    return gate.promise;
  };
  const { child } = fakeReadyChild({ shutdown });
  const results = () =>
    child.sent.map(([message]) => message)
      .filter((message) => message.type === "result");
  child.say({ type: "shutdown", call: 1 });
  assertEquals(calls, 1);
  assertEquals(results(), []);
  gate.resolve();
  await until(() => results().length > 0);
  assertEquals(results(), [{ type: "result", call: 1, error: undefined }]);

  const failing = fakeReadyChild({
    shutdown: () => Promise.reject(new Error("no")),
  });
  failing.child.say({ type: "shutdown", call: 7 });
  await turn();
  const [answer] = failing.child.sent.map(([message]) => message)
    .filter((message) => message.type === "result");
  assertEquals(answer.call, 7);
  assertEquals(answer.error?.message, "no");
});

Deno.test("PoolChild kills a child that asks for a second shutdown before the result", () => {
  const { child } = fakeReadyChild({ shutdown: () => new Promise(() => {}) });
  child.say({ type: "shutdown", call: 1 });
  assertEquals(child.signals, []);
  child.say({ type: "shutdown", call: 2 });
  assertEquals(child.signals, ["SIGKILL"]);
});

Deno.test("PoolChild kills a child that does not exit when it is told to", async () => {
  using time = await fakeTime();
  const { child, poolChild } = fakeReadyChild();
  poolChild.leave();
  poolChild.leave();
  assertEquals(child.types.filter((type) => type === "leave"), ["leave"]);
  time.tick(999);
  assertEquals(child.signals, []);
  time.tick(1);
  assertEquals(child.signals, ["SIGKILL"]);
  await poolChild.exited;
});

Deno.test("PoolChild tells a child that accepts to leave once all is known that it has accepted", async () => {
  const { child, poolChild } = fakeAcceptingChild();
  void poolChild.pause(false, false);
  child.say({ type: "paused" });
  poolChild.leave();
  poolChild.leave();
  void poolChild.pause(false, false); // as when the server goes on after suspend()
  await turn();
  assert(!child.types.includes("leave"));
  child.say({ type: "accepted", ids: [-1], clients: [["127.0.0.1", 1]] });
  child.say({ type: "paused" });
  child.say({ type: "paused" });
  await turn();
  assert(!child.types.includes("leave"));
  child.say({ type: "done", ids: [-1], ms: 1 });
  assertStrictEquals(child.types.at(-1), "leave");
  const pauses = child.sent.map(([message]) => message)
    .filter((message) => message.type === "pause");
  assertEquals(pauses.map(({ paused }) => paused), [false, true, true]);
  child.exit(0);
  await within(poolChild.exited);
});

Deno.test("PoolChild closes what a child passes with a message that it may not send", async () => {
  const messages = [
    { type: "offer", count: 1 }, // a second one
    { type: "returned", credit: 1 }, // more than it has
    { type: "returned", credit: 0, token: "of another" },
  ];
  for (const message of messages) {
    const { child, poolChild } = fakeAcceptingChild();
    child.say({ type: "offer", count: 1 });
    let closed = 0;
    child.say(message, { close: () => closed++ });
    assertEquals(closed, 1, Deno.inspect(message));
    assertEquals(child.signals, ["SIGKILL"]);
    await within(poolChild.exited);
  }
});

Deno.test("PoolChild fails a request of a child whose report comes after its exit", async () => {
  const runs: Promise<unknown>[] = [];
  const { child, poolChild } = fakeAcceptingChild(
    {},
    (ended) => void runs.push(ended),
  );
  child.exit(0);
  await within(poolChild.exited);
  child.say({ type: "accepted", ids: [-1], clients: [["127.0.0.1", 1]] });
  await assertRejects(
    () => within(runs[0]),
    Error,
    "Child process 1 ended (exit code 0)",
  );
  assertStrictEquals(poolChild.load, 0);
});

Deno.test("PoolChild retires a child for clients that were gone when it accepted them, too", async () => {
  const { child, poolChild } = fakeAcceptingChild({ requestsPerChild: 9 });
  const counts = { ms: 1, bytesIn: 0, bytesOut: 0 };
  child.say({ type: "ended", count: 4, gone: 4, ...counts });
  assert(poolChild.open);
  child.say({ type: "ended", count: 0, gone: 1, ...counts });
  assert(!poolChild.open);
  child.say({ type: "paused" });
  child.exit(0);
  await within(poolChild.exited);
});

Deno.test("PoolChild finds a child silent that does not answer, and ends it after childTimeout", async () => {
  using clock = new FrozenClock();
  const { child, poolChild } = fakeAcceptingChild({ childTimeout: 0.05 });
  poolChild.checkLiveness();
  child.say({ type: "alive" });
  poolChild.checkLiveness();
  assert(!poolChild.accepting.liveness.silent);
  poolChild.checkLiveness();
  assert(poolChild.accepting.liveness.silent);
  child.say({ type: "alive" });
  assert(!poolChild.accepting.liveness.silent);
  poolChild.checkLiveness();
  poolChild.checkLiveness();
  clock.advance(60); // longer than childTimeout
  assertEquals(child.signals, []);
  poolChild.checkLiveness();
  assertEquals(child.signals, ["SIGKILL"]);
  await within(poolChild.exited);
});

Deno.test("PoolChild forgets a request that has ended", async () => {
  const { child, poolChild } = fakeReadyChild();
  const runs = [run(poolChild), run(poolChild)];
  child.say({ type: "acknowledge", id: 2 });
  child.say({ type: "done", ids: [1, 2], ms: 1 });
  await within(Promise.all(runs));
  assertEquals(poolChild.load, 0);
  assertEquals(poolChild.caughtUp, true);
});

Deno.test("PoolChild goes on with a child that has ended before Deno tells", async () => {
  const { child, poolChild } = fakeReadyChild();
  child.ref = child.unref = () => {
    throw new Deno.errors.BadResource("Bad resource ID");
  };
  const ran = run(poolChild);
  poolChild.kill("it did not exit when it was told to");
  await assertRejects(() => ran, Error, "it did not exit when it was told to");
  assertEquals(child.signals, ["SIGKILL"]);
});

Deno.test("PoolChild keeps the server's process alive while it accepts, has a request or ends", () => {
  const starting = fakeStartingChild();
  assertEquals(starting.child.referenced, false);
  starting.child.emit("message", null);
  starting.poolChild.setAwaited(false);
  assertEquals(starting.child.referenced, true);
  const { child, poolChild } = fakeAcceptingChild();
  const refs: boolean[] = [child.referenced];
  const note = () => refs.push(child.referenced);
  void poolChild.pause(false, false);
  note();
  child.say({ type: "accepted", ids: [-1], clients: [["127.0.0.1", 1]] });
  void poolChild.pause(true, false);
  note();
  child.say({ type: "done", ids: [-1], ms: 1 });
  note();
  void poolChild.pause(false, false);
  void poolChild.pause(true, false);
  note();
  void run(poolChild);
  note();
  child.say({ type: "done", ids: [2], ms: 1 });
  note();
  assertEquals(refs, [false, true, true, false, false, true, false]);
  assertEquals(child.signals, []);
});

/** Says something, and gives the reason with which the child was killed for it. */
async function killedFor(
  message: Record<string, unknown>,
  rest: Parameters<typeof fakeJob>[0] = {},
): Promise<string> {
  const { child, poolChild } = fakeReadyChild();
  const ran = run(poolChild, rest);
  child.say(message);
  assertEquals(child.signals, ["SIGKILL"]);
  const error = await assertRejects(() => within(ran), Error);
  return error.message;
}

Deno.test("PoolChild kills a child that says what the library would not", async () => {
  const call = { type: "call", id: 1, call: 1, operation: "read", argument: 9 };
  const execute = streamExecutor(new Socket());
  for (
    const [message, reason, rest] of [
      [{ type: "done", ids: [1], ms: NaN }, "NaN ms"],
      [{ type: "done", ids: [1], ms: -1 }, "-1 ms"],
      [{ type: "done", ids: [1], ms: "x" }, "x ms"],
      [{ type: "done", ids: [1] }, "undefined ms"],
      [{ type: "done", ids: [2], ms: 1 }, "no request 2"],
      [{ type: "done", ids: [1, 2], ms: 1 }, "no request 2"],
      [{ type: "done", ms: 1 }, "of undefined"],
      [{ type: "limit", id: 2, limit: "idleTimeout" }, "no request 2"],
      [{ type: "limit", id: 1, limit: "maxConnections" }, "no limit"],
      [{ type: "done", ids: [1], ms: 1, bytes: [1, -1] }, "-1 bytes"],
      [{ type: "done", ids: [1], ms: 1, bytes: [NaN, 1] }, "NaN bytes"],
      [{ type: "done", ids: [1], ms: 1, bytes: ["9", 1] }, '"9" bytes'],
      [{ type: "done", ids: [1], ms: 1, bytes: [9] }, "undefined bytes"],
      [{ type: "done", ids: [1], ms: 1, bytes: null }, "of null"],
      [{ type: "error", id: 1, error: { thrown: "" }, bytes: [1.5, 1] }, "1.5"],
      [{ type: "error", id: 2, error: { thrown: "" } }, "no request 2"],
      [{ type: "error", id: 1 }, "of undefined"],
      [{ type: "done", ids: [1], ms: 1, idle: [2] }, "no request 2"],
      [{ type: "idle", count: -1 }, "-1 idle requests"],
      [{ type: "idle", count: "many" }, '"many" idle requests'],
      [{ type: "idle" }, "undefined idle requests"],
      [{ type: "acknowledge", id: 0 }, "no request 0"],
      [{ type: "ready" }, "ready before"],
      [{ type: "ready", error: { name: "", message: "" } }, "ready before"],
      [{ type: "sync" }, "nobody asked"],
      [{ type: "constructor" }, "its type is"],
      [{ type: "done", ids: [1], ms: 1, token: "guessed" }, "not from this"],
      [{ type: "done", ids: [1], ms: 1, token: undefined }, "not from this"],
      [{ ...call, id: 3 }, "no request 3"],
      [call, "it has the connection"],
      [{ ...call, argument: 0 }, "Cannot read 0 bytes", { execute }],
      [{ ...call, argument: 65537 }, "Cannot read 65537", { execute }],
      [{ ...call, argument: "9" }, 'Cannot read "9"', { execute }],
      [{ ...call, operation: "write" }, "no chunk", { execute }],
      [
        { ...call, operation: "write", argument: new Uint8Array(65537) },
        "no chunk",
        { execute },
      ],
      [{ ...call, operation: "sendto" }, "the request is a stream", {
        execute,
      }],
    ] as [Record<string, unknown>, string, { execute?: typeof execute }?][]
  ) {
    assertStringIncludes(await killedFor(message, rest), reason);
  }
});

Deno.test("PoolChild kills a child whose message is no message of the library", async () => {
  for (const message of [null, [], "done", 1, { type: "done" }]) {
    const { child, poolChild } = fakeReadyChild();
    child.emit("message", message);
    assertEquals(child.signals, ["SIGKILL"], Deno.inspect(message));
    await within(poolChild.exited);
  }
});

Deno.test("PoolChild kills a child that makes a second call of a kind before the result of the first", async () => {
  const { child, poolChild } = fakeReadyChild();
  const answers: PromiseWithResolvers<unknown>[] = [];
  const execute = () => {
    const answer = Promise.withResolvers<unknown>();
    answers.push(answer);
    return answer.promise;
  };
  const ran = run(poolChild, { execute });
  const ask = (call: number, operation: string) =>
    child.say({ type: "call", id: 1, call, operation, argument: 1 });
  ask(1, "read");
  ask(2, "write"); // another kind is fine
  answers[0].resolve("data");
  await turn();
  assertEquals(child.sent.at(-1)![0], {
    type: "result",
    call: 1,
    value: "data",
  });
  ask(3, "read");
  assertEquals(child.signals, []);
  ask(4, "read");
  assertEquals(child.signals, ["SIGKILL"]);
  assertEquals(answers.length, 3);
  await assertRejects(() => within(ran), Error, "a second read");
});

Deno.test("PoolChild kills a child that does not read the results of its calls", async () => {
  const { child, poolChild } = fakeReadyChild();
  const ran = run(poolChild, { execute: () => Promise.resolve() });
  const killed = assertRejects(() => within(ran), Error, "does not read");
  child.writes = false;
  let calls = 0;
  while (child.signals.length === 0 && calls < 100) {
    child.say({ type: "call", id: 1, call: ++calls, operation: "close" });
    await turn();
  }
  assertStrictEquals(calls, 2 * OPERATIONS.length + 1);
  await killed;
});

Deno.test("PoolChild closes a descriptor that a child sends, and ends it", async () => {
  for (const method of ["destroy", "close"]) {
    const { child, poolChild } = fakeReadyChild();
    let closed = 0;
    child.emit("message", { type: "sync" }, { [method]: () => closed++ });
    assertEquals(closed, 1);
    assertEquals(child.signals, ["SIGKILL"]);
    await poolChild.exited;
  }
});

Deno.test("PoolChild believes no request that took longer than it was away", async () => {
  const { child, poolChild } = fakeReadyChild();
  const ran = run(poolChild);
  child.say({ type: "done", ids: [1], ms: 1e308 });
  assert((await within(ran)).ms < 20_000);
});

Deno.test("PoolChild believes no request that moved more bytes than a machine can", async () => {
  const { child, poolChild } = fakeReadyChild();
  const counted: { bytesIn: number; bytesOut: number }[] = [];
  const ran = run(poolChild, { count: (bytes) => counted.push(bytes) });
  const bytes = [Number.MAX_SAFE_INTEGER, 5];
  child.say({ type: "done", ids: [1], ms: 1, bytes });
  await within(ran);
  assertEquals(counted[0].bytesOut, 5);
  assert(counted[0].bytesIn < 1e13, `${counted[0].bytesIn} bytes`);
});
