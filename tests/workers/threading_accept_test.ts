/** `acceptIn: "workers"`: each worker accepts by itself. */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import {
  AF_INET6,
  PermissionError,
  type Socket,
  StreamRequestHandler,
  ThreadingTCPServer,
} from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
  deadline,
  delay,
} from "../deps.ts";
import type { RequestStartEvent, RequestStopEvent } from "../../telemetry.ts";
import { mayFork, mayRead } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { dial, readAll, readText } from "../helpers/clients.ts";
import { Running, start, stepsTest, workerTest } from "../helpers/threading.ts";
import { boundedCommand, until, within } from "../helpers/within.ts";
import { Counts, Obeys } from "../testdata/accepting_handlers.ts";
import { Dies } from "../testdata/dying_handlers.ts";
import { LoadsOnce } from "../testdata/loads_once.ts";

const ACCEPT = { acceptIn: "workers" } as const;

/** A line, and the answer: the worker that the client is in. */
async function ask(client: Socket, line: string): Promise<string> {
  await client.sendall(bytes(`${line}\n`));
  return (await readText(client, 37)).trimEnd();
}

/** Two clients, each in a worker of its own. */
async function twoClients(
  running: { connect(): Promise<Socket> },
): Promise<[Socket, Socket]> {
  const one = await running.connect();
  return [one, await clientBeside(running, await ask(one, "who"))];
}

/** A client in another worker than one. */
async function clientBeside(
  running: { connect(): Promise<Socket> },
  worker: string,
): Promise<Socket> {
  for (;;) {
    const client = await running.connect();
    if (await ask(client, "who") !== worker) return client;
    client.close();
    await delay(10); // until the other worker has started
  }
}

const WAYS: [way: string, message: string, cause?: string][] = [
  ["throw", "thrown outside", "RangeError"],
  ["reject", "rejected outside", "TypeError"],
  ["close", "it ended itself, with close() or Deno.exit()"],
  ["exit", "it ended itself, with close() or Deno.exit()"],
  ["loop", "it showed no sign of life for 5 s", "Error"],
  ["eat", "memory"],
];

workerTest(
  "A worker that accepts and dies, in whichever way, costs its own connections, gives their places back and is replaced",
  async () => {
    await using running = start(Dies, {
      ...ACCEPT,
      workerTimeout: 5, // longer than a busy machine keeps the other worker from running
      maxConnections: 3,
      resourceLimits: { maxOldGenerationSizeMb: 48 },
    });
    const { server, reports } = running;
    let [victim, bystander] = await twoClients(running);
    const survivor = await ask(bystander, "who");
    for (const [died, [way, message, cause]] of WAYS.entries()) {
      const address = victim.getsockname();
      await victim.sendall(bytes(`${way}\n`));
      await readAll(victim).catch(() => {}); // the system resets it if bytes were unread
      const { error, address: client } = await reports.next();
      assertStringIncludes(error.message, "its worker died: ");
      assertStringIncludes(error.message, message);
      const thrown = (error.cause as Error | undefined)?.name;
      if (way !== "eat") assertEquals(thrown, cause, way);
      if (!["throw", "reject"].includes(way)) {
        assertEquals(client, address, way);
      }
      assertEquals(await ask(bystander, "who"), survivor, way);
      await within(server.waitForConnections(1));

      const again = await within(clientBeside(running, survivor));
      const third = await running.connect();
      await ask(third, "who"); // as many as before: no place is lost
      assertEquals(reports.left, 0, way);
      const { accepted, active, failed, finished } = server.status;
      assertEquals(accepted, active + failed + finished, way);
      assertEquals(active, 3, way);
      assert(failed <= died + 1, way); // a handler may end before its worker
      victim.close();
      third.close();
      await within(server.waitForConnections(2));
      victim = again;
    }
    victim.close();
    bystander.close();
  },
);

workerTest(
  "serverClose() counts the request of a worker that dies as the drain ends once",
  async () => {
    const busy = new Int32Array(new SharedArrayBuffer(4));
    const { server, connect, served, reports } = start(Obeys, {
      ...ACCEPT,
      maxWorkers: 1,
      workerTimeout: 1,
      shared: busy.buffer,
    });
    const client = await connect();
    await client.sendall(bytes("loop\n"));
    await until(() => busy[0] === 1);
    await delay(300); // a check of the worker asks for a heartbeat that never comes
    const closed = server.serverClose({ timeout: 1.2 });
    const end = performance.now() + 1600; // both times pass before the event loop sees the end of the worker
    while (performance.now() < end);
    assertEquals(await within(closed), { idle: 0, finished: 1, forced: 0 });
    await served;
    assertStringIncludes((await reports.next()).error.message, "no sign of");
    client.abort();
  },
);

/** A word that the only worker sets while it is busy, and waits for when it leaves something behind. */
const busy = new Int32Array(new SharedArrayBuffer(4));

stepsTest(
  "The only worker that accepts",
  () =>
    start(Obeys, {
      ...ACCEPT,
      maxWorkers: 1,
      workerTimeout: 5, // longer than a busy machine keeps the new worker from running
      shared: busy.buffer,
    }),
  {
    async "is reported with its last client if what a handler left behind ends it"(
      { server, reports, connect },
    ) {
      const client = await connect();
      const address = client.getsockname();
      const worker = await ask(client, "leave");
      client.close();
      await within(server.waitForConnections(0));
      Atomics.store(busy, 0, 1);
      Atomics.notify(busy, 0);
      const report = await reports.next();
      assertStringIncludes(report.error.message, "left behind");
      assertEquals(report.address, address);
      using next = await connect();
      assert(await ask(next, "who") !== worker);
      const { accepted, active, failed, finished } = server.status;
      assertEquals({ accepted, active, failed, finished }, {
        accepted: 2,
        active: 1,
        failed: 0,
        finished: 1,
      });
    },
    async "leaves no client in the queue while it is dead or busy"(
      { reports, connect },
    ) {
      Atomics.store(busy, 0, 0);
      using victim = await connect();
      const worker = await ask(victim, "who");
      await victim.sendall(bytes("loop\n"));
      await until(() => busy[0] === 1);
      const waiting = await Promise.all(Array.from({ length: 20 }, connect));
      const answers = await Promise.all(
        waiting.map((one) => ask(one, "who")),
      );
      assertEquals(new Set(answers).size, 1);
      assert(answers[0] !== worker);
      assertStringIncludes(
        (await reports.next()).error.message,
        "no sign of life",
      );
      for (const one of waiting) one.close();
    },
  },
);

/** Permissions that do not do for workers that accept, and what the error says. */
const TOO_FEW: [Deno.PermissionOptionsObject, message: string][] = [
  [{ net: ["127.0.0.1:1"], read: true }, 'bind "127.0.0.1:0"'],
  [{ net: ["127.0.0.1:0"], read: true }, 'bind "127.0.0.1:'], // port 0 is allowed, and not the port that it becomes
  [{ net: true, read: false }, "run again with --allow-read"],
];

for (const [permissions, message] of TOO_FEW) {
  Deno.test({
    name: `Without permission no workers accept: ${
      JSON.stringify(permissions)
    }`,
    ignore: !mayRead,
    permissions,
    fn() {
      const error = assertThrows(
        () => new ThreadingTCPServer(["127.0.0.1", 0], Obeys, ACCEPT),
        PermissionError,
        message,
      );
      assertEquals(error.code, "EACCES");
    },
  });
}

workerTest(
  "If no worker can load the module, serveForever() rejects, the clients that wait are closed, and the next call tries again",
  async () => {
    const shared = new Int32Array(new SharedArrayBuffer(8));
    shared[0] = 1; // the module throws
    const options = { ...ACCEPT, shared, maxWorkers: 1 };
    await using server = new ThreadingTCPServer(
      ["127.0.0.1", 0],
      LoadsOnce,
      options,
    );
    const early = await Promise.all(
      Array.from({ length: 5 }, () => dial(server.serverAddress)),
    );
    await assertRejects(() => server.serveForever(), SyntaxError, "only once");
    for (const client of early) assertEquals(await readAll(client), "");

    shared[0] = 0;
    using late = await dial(server.serverAddress);
    const served = server.serveForever();
    await late.sendall(bytes("hello\n"));
    assertEquals(await readText(late, 6), "hello\n");
    late.close();
    await within(server.serverClose());
    await served;
    for (const client of early) client.close();
  },
);

workerTest(
  "maxConnections holds for all workers together, and the others wait",
  async () => {
    const shared = new SharedArrayBuffer(8);
    await using running = start(Counts, {
      ...ACCEPT,
      maxConnections: 3,
      shared,
    });
    const limits: unknown[] = [];
    running.server.handleLimit = (...what: unknown[]) => void limits.push(what);
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => running.ask(`line ${i}\n`)),
    );
    assertEquals(answers, answers.map((_, i) => `line ${i}\n`));
    assertEquals([...new Int32Array(shared)], [0, 3]);
    await within(running.server.waitForConnections(0));
    const { accepted, finished, active, bytesIn, bytesOut, limits: counts } =
      running.server.status;
    assertEquals({ accepted, finished, active }, {
      accepted: 60,
      finished: 60,
      active: 0,
    });
    assertEquals({ bytesIn, bytesOut }, {
      bytesIn: 10 * 7 + 50 * 8,
      bytesOut: 10 * 7 + 50 * 8,
    });
    assert(counts.maxConnections > 0);
    assertEquals(limits[0], ["maxConnections", null]);

    running.server.maxConnections = 1;
    using first = await running.connect();
    await first.sendall(bytes("first\n"));
    assertEquals(await readText(first, 6), "first\n");
    using second = await running.connect();
    await second.sendall(bytes("second\n"));
    running.server.maxConnections = 2; // wakes the worker that has it
    assertEquals(await readText(second, 7), "second\n");
  },
);

workerTest(
  "serverClose() terminates a worker that computes without an end",
  async () => {
    const running = start(Obeys, ACCEPT);
    const [stuck, other] = await twoClients(running);
    await stuck.sendall(bytes("loop\n"));
    const report = await deadline(
      running.server.serverClose({ timeout: 0.3 }),
      60_000,
    );
    assertEquals(report, { idle: 1, finished: 0, forced: 1 });
    await running.served;
    assertEquals(running.reports.left, 0);
    assertEquals(running.server.status.forced, 1);
    stuck.close();
    other.close();
  },
);

/** A word that a worker sets while it computes. It computes until the test takes the word back. */
const working = new Int32Array(new SharedArrayBuffer(4));

stepsTest(
  "Two workers that accept",
  () => start(Obeys, { ...ACCEPT, shared: working.buffer }),
  {
    async "let no client wait behind the one that computes"(running) {
      const [busy, other] = await twoClients(running);
      const second = await ask(other, "who");
      await busy.sendall(bytes("work\n"));
      await until(() => working[0] === 1);
      for (let i = 0; i < 20; i++) {
        using client = await running.connect();
        assertEquals(await ask(client, "who"), second);
      }
      Atomics.store(working, 0, 0);
      Atomics.notify(working, 0);
      await readText(busy, 37);
      busy.close();
      other.close();
    },
    async 'close the connections beyond maxConnections of both with maxConnectionsPolicy "reject"'(
      { server, connect },
    ) {
      await within(server.waitForConnections(0));
      server.maxConnections = 2;
      server.maxConnectionsPolicy = "reject";
      const open = [await connect(), await connect()];
      for (const each of open) await ask(each, "who");
      for (let i = 0; i < 5; i++) {
        using client = await connect();
        assertEquals(await readAll(client), "");
      }
      await within(until(() => server.status.rejected === 5));
      assertEquals(server.status.active, 2);
      assert(server.status.limits.maxConnections >= 5);
      for (const each of open) await ask(each, "who");
      for (const each of open) each.close();
      server.maxConnectionsPolicy = "wait";
      server.maxConnections = 100;
    },
    async "tell the hooks of errors and time limits, with the client"(
      { server, reports, connect },
    ) {
      const limits: unknown[] = [];
      server.handleLimit = (...what: unknown[]) => void limits.push(what);
      using bad = await connect();
      await bad.sendall(bytes("throw\n"));
      assertEquals(await readAll(bad), "");
      const thrown = await reports.next();
      assertEquals(thrown.address, bad.getsockname());
      assertEquals(thrown.error.name, "RangeError");
      assertStringIncludes(thrown.error.stack!, "accepting_handlers.ts");

      using slow = await connect();
      await slow.sendall(bytes("wait\n"));
      server.requestTimeout = 0.3; // for open requests and for later ones
      await readAll(slow).catch(() => {});
      await within(until(() => limits.length === 1));
      assertEquals(limits, [["requestTimeout", slow.getsockname()]]);
      assertEquals(server.status.limits.requestTimeout, 1);

      server.requestTimeout = null;
      server.idleTimeout = 0.2;
      using quiet = await connect();
      assertEquals(await readAll(quiet).catch(() => ""), "");
      await within(until(() => server.status.limits.idleTimeout === 1));
      server.idleTimeout = null;
    },
    async "leave the clients in the queue after suspend() and shutdown(), and the open requests go on"(
      { server, served, connect },
    ) {
      using open = await connect();
      const worker = await ask(open, "who");
      server.suspend();
      assertEquals(server.status.state, "suspended");
      const { accepted } = server.status;
      const waiting = await Promise.all(Array.from({ length: 10 }, connect));
      assertEquals(await ask(open, "who"), worker);
      assertEquals(server.status.accepted, accepted);
      const stop = new AbortController();
      const { signal } = stop;
      const waits = server.waitForConnections(0, { signal });
      stop.abort(new Error("no longer"));
      await assertRejects(() => within(waits), Error, "no longer");
      server.resume();
      for (const each of waiting) await ask(each, "who");
      for (const each of waiting) each.close();
      await within(server.waitForConnections(1));

      await open.sendall(bytes("shutdown\n"));
      await within(served);
      assertEquals(server.status.state, "stopped");
      assertEquals((await readText(open, 37)).trimEnd(), worker);
      const before = server.status.accepted;
      const later = await Promise.all(Array.from({ length: 10 }, connect));
      assertEquals(await ask(open, "who"), worker);
      assertEquals(server.status.accepted, before);
      const again = server.serveForever();
      for (const each of later) await ask(each, "who");
      for (const each of later) each.close();
      await server.shutdown();
      await within(again);
    },
    async "end what is idle, wait for the rest and cut off what stays when the server closes"(
      running,
    ) {
      const { server } = running;
      const again = server.serveForever();
      await within(server.waitForConnections(0));
      const { forced: before } = server.status;
      const [idle, waits] = await twoClients(running);
      const [idle2, stays] = await twoClients(running);
      const slow: unknown[] = [];
      server.handleSlowClose = (...what: unknown[]) => void slow.push(what);
      await waits.sendall(bytes("wait\n"));
      await stays.sendall(bytes("stay\n"));
      await within(until(() => server.status.idle === 2));
      const closing = server.serverClose({ timeout: 1.3 });
      assertEquals(server.status.state, "draining");
      assertEquals(await readAll(idle), "");
      assertEquals(await readAll(idle2), "");
      assertStringIncludes(await readAll(waits), "aborted\n");
      const [hostname, port] = server.serverAddress;
      await assertRejects(
        () => Deno.connect({ hostname, port }),
        Deno.errors.ConnectionRefused,
      );
      assertEquals(await within(closing), { idle: 2, finished: 1, forced: 1 });
      await again;
      assertEquals((slow as [string[]][])[0][0], ["127.0.0.1"]);
      const { state, active, idle: left, forced } = server.status;
      assertEquals({ state, active, left, forced }, {
        state: "closed",
        active: 0,
        left: 0,
        forced: before + 1,
      });
      for (const each of [idle, waits, idle2, stays]) each.close();
    },
  },
);

workerTest(
  "An address that is taken fails as without acceptIn, also by a server of the same program; one that is free has its limits",
  async () => {
    const make = (address: readonly [string, number], options = {}) =>
      new ThreadingTCPServer(address, Obeys, {
        ...ACCEPT,
        maxWorkers: 1,
        ...options,
      });
    const first = make(["127.0.0.1", 0]); // takes its address before it serves
    const { serverAddress } = first;
    const taken = assertThrows(() => make(serverAddress)) as { code?: string };
    assertEquals(taken.code, "EADDRINUSE");
    await first.serverClose();
    await using other = new Running(
      make(["localhost", 0], { requestTimeout: 0.3 }),
    );
    assert(other.server.serverAddress[1] !== serverAddress[1]);
    assertEquals(other.server.serverAddress[0], "127.0.0.1");
    using client = await other.connect();
    await ask(client, "who");
    await client.sendall(bytes("wait\n"));
    assertEquals(await readAll(client).catch(() => ""), ""); // its time is over

    await using six = make(["::1", 0], { addressFamily: AF_INET6 });
    const served = six.serveForever();
    const conn = await Deno.connect({
      hostname: "::1",
      port: six.serverAddress[1],
    });
    await conn.write(bytes("who\n"));
    assertEquals(await conn.read(new Uint8Array(64)), 37);
    conn.close();
    await six.serverClose();
    await served;
    const free = make(six.serverAddress, { addressFamily: AF_INET6 }); // again
    await free.serverClose();
  },
);

class Blocks extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;
  static readonly blocking = true;
}

class NotExported extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;
  override async handle() {}
}

workerTest(
  "What cannot be done if workers accept is refused by name",
  async () => {
    const address = ["127.0.0.1", 0] as const;
    const error = assertThrows(() =>
      new ThreadingTCPServer(address, Blocks as never, ACCEPT)
    ) as Error;
    assertEquals(
      error.message,
      'Cannot make a server with acceptIn "workers": Blocks is a blocking handler, and the thread that accepts is the one that it blocks; use acceptIn "parent"',
    );
    await using server = new ThreadingTCPServer(address, NotExported, {
      ...ACCEPT,
      maxWorkers: 2,
    });
    assertEquals(server.acceptIn, "workers");
    await assertRejects(
      () => server.handleRequest(),
      Error,
      'Cannot handle a single request with acceptIn "workers": the workers accept by themselves; use serveForever(), or acceptIn "parent"',
    );
    assertThrows(
      () => server.maxWorkers = 1,
      RangeError,
      'Cannot set maxWorkers to 1: with acceptIn "workers" each of the 2 workers accepts until the server closes',
    );
    assertThrows(
      () => server.maxAcceptRate = 5,
      TypeError,
      'because none of the workers knows when the others accept; use acceptIn "parent"',
    );
    await assertRejects( // no worker can load it, so nobody would accept
      () => within(server.serveForever()),
      TypeError,
      'its module exports no class of handlers "NotExported"',
    );
    assertEquals(server.status.state, "stopped");
  },
);

workerTest(
  "The requests of workers that accept have events, also those that a worker takes with it",
  async () => {
    const events: RequestStopEvent[] = [];
    const starts: RequestStartEvent[] = [];
    const onStop = (event: unknown) => void events.push(event as never);
    const onStart = (event: unknown) => void starts.push(event as never);
    subscribe("socketserver.request.start", onStart);
    subscribe("socketserver.request.stop", onStop);
    try {
      await using running = start(Obeys, { ...ACCEPT, maxWorkers: 1 });
      using good = await running.connect();
      await ask(good, "who");
      await good.shutdown(1);
      await readAll(good);
      using bad = await running.connect();
      await bad.sendall(bytes("throw\n"));
      await readAll(bad);
      using lost = await running.connect();
      await lost.sendall(bytes("exit\n"));
      await readAll(lost).catch(() => {});
      await within(until(() => events.length === 3));
      assertEquals(
        events.map(({ server, clientAddress, reason, bytesIn }) => [
          server === running.server,
          clientAddress,
          reason,
          bytesIn,
        ]),
        [
          [true, good.getsockname(), "finished", 4],
          [true, bad.getsockname(), "failed", 6],
          [true, lost.getsockname(), "failed", 0],
        ],
      );
      assertEquals((events[1].error as Error).name, "RangeError");
      assertEquals(events.map(({ id }) => id), starts.map(({ id }) => id));
      assertEquals(new Set(starts.map(({ id }) => id)).size, 3);
    } finally {
      unsubscribe("socketserver.request.start", onStart);
      unsubscribe("socketserver.request.stop", onStop);
    }
  },
);

Deno.test({
  name: "A program whose workers accept ends when its server has closed",
  ignore: !mayFork,
  fn: async () => {
    const program = new URL("../testdata/accepting_server.ts", import.meta.url);
    const args = ["run", "--allow-net=127.0.0.1", "--allow-read", "--no-check"];
    const { code, stdout, stderr } = await boundedCommand(Deno.execPath(), {
      args: [...args, program.pathname],
    }).output();
    assertEquals({ code, stderr: text(stderr) }, { code: 0, stderr: "" });
    assertEquals(
      text(stdout),
      "hello\n{ idle: 0, finished: 0, forced: 0 }\n",
    );
  },
});
