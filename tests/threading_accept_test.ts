/** `acceptIn: "workers"`: each worker accepts by itself. */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import {
  AF_INET6,
  PermissionError,
  type Socket,
  StreamRequestHandler,
  ThreadingTCPServer,
} from "../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
  deadline,
} from "./deps.ts";
import { SharedPlaces } from "../internal/requests/shared_places.ts";
import type { RequestStartEvent, RequestStopEvent } from "../telemetry.ts";
import { mayFork, mayRead } from "./helpers/allowed.ts";
import { boundedCommand, within } from "./helpers/within.ts";
import { Counts, Obeys } from "./testdata/accepting_handlers.ts";
import { Dies } from "./testdata/dying_handlers.ts";
import { Eats } from "./testdata/greedy_handlers.ts";
import { LoadsOnce } from "./testdata/loads_once.ts";
import { dial } from "./remote_helpers.ts";
import {
  readAll,
  readText,
  Running,
  start,
  workerTest,
} from "./threading_helpers.ts";
import { bytes, text, until } from "./server_helpers.ts";

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
  }
}

const WAYS: [way: string, message: string, cause?: string][] = [
  ["throw", "thrown outside", "RangeError"],
  ["reject", "rejected outside", "TypeError"],
  ["close", "it ended itself, with close() or Deno.exit()"],
  ["exit", "it ended itself, with close() or Deno.exit()"],
  ["loop", "it showed no sign of life for 2 s", "Error"],
];

for (const [way, message, cause] of WAYS) {
  workerTest(
    `A worker that accepts and dies by "${way}" costs its own connections, gives their places back and is replaced`,
    async () => {
      await using running = start(Dies, {
        ...ACCEPT,
        workerTimeout: way === "loop" ? 2 : null, // longer than a busy machine keeps the other worker from running
        maxConnections: 3,
      });
      const [victim, bystander] = await twoClients(running);
      const survivor = await ask(bystander, "who");
      const address = victim.getsockname();

      await victim.sendall(bytes(`${way}\n`));
      await readAll(victim).catch(() => {}); // the system resets it if bytes were unread
      const { error, address: client } = await running.reports.next();
      assertStringIncludes(error.message, "its worker died: " + message);
      assertEquals((error.cause as Error | undefined)?.name, cause);
      if (!["throw", "reject"].includes(way)) assertEquals(client, address);
      assertEquals(await ask(bystander, "who"), survivor);
      await within(running.server.waitForConnections(1));

      const again = await within(clientBeside(running, survivor));
      const third = await running.connect();
      await ask(third, "who"); // as many as before: no place is lost
      assertEquals(running.reports.left, 0);
      const { accepted, active, failed, finished } = running.server.status;
      assertEquals(accepted, active + failed + finished);
      assertEquals(active, 3);
      assert(failed <= 1); // a handler may end before its worker
      for (const each of [victim, bystander, again, third]) each.close();
    },
  );
}

workerTest(
  "What a handler leaves behind, and what ends its worker later, is reported with its client",
  async () => {
    const shared = new SharedArrayBuffer(4);
    const options = { ...ACCEPT, maxWorkers: 1, shared };
    await using running = start(Obeys, options);
    const client = await running.connect();
    const address = client.getsockname();
    const worker = await ask(client, "leave");
    client.close();
    await within(running.server.waitForConnections(0));
    Atomics.store(new Int32Array(shared), 0, 1);
    Atomics.notify(new Int32Array(shared), 0);
    const report = await within(running.reports.next());
    assertStringIncludes(report.error.message, "left behind");
    assertEquals(report.address, address);
    using next = await running.connect();
    assert(await ask(next, "who") !== worker);
    const { accepted, active, failed, finished } = running.server.status;
    assertEquals({ accepted, active, failed, finished }, {
      accepted: 2,
      active: 1,
      failed: 0,
      finished: 1,
    });
  },
);

workerTest(
  "A worker that accepts and runs out of memory costs its own connections only",
  async () => {
    const resourceLimits = { maxOldGenerationSizeMb: 48 };
    await using running = start(Eats, { ...ACCEPT, resourceLimits });
    const [one, other] = await twoClients(running);
    const survivor = await ask(other, "who");
    await one.sendall(bytes("at once\n"));
    await readAll(one).catch(() => {});
    const { error, address } = await within(running.reports.next());
    assertStringIncludes(error.message, "memory");
    assertEquals(address, one.getsockname());
    assertEquals(await ask(other, "who"), survivor);
    using next = await within(clientBeside(running, survivor));
    await ask(next, "who");
    assertEquals(running.reports.left, 0);
    one.close();
    other.close();
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
  "The clients that queue while the only worker is dead or busy are all served",
  async () => {
    const shared = new SharedArrayBuffer(4);
    await using running = start(Obeys, {
      ...ACCEPT,
      maxWorkers: 1,
      workerTimeout: 2, // longer than a busy machine keeps the new worker from running
      shared,
    });
    using victim = await running.connect();
    const worker = await ask(victim, "who");
    await victim.sendall(bytes("loop\n"));
    await until(() => new Int32Array(shared)[0] === 1);
    const waiting = await Promise.all(
      Array.from({ length: 20 }, () => running.connect()),
    );
    const answers = await Promise.all(waiting.map((one) => ask(one, "who")));
    assertEquals(new Set(answers).size, 1);
    assert(answers[0] !== worker);
    assertStringIncludes(
      (await running.reports.next()).error.message,
      "no sign of life",
    );
    for (const one of waiting) one.close();
  },
);

workerTest("A client does not wait behind a worker that computes", async () => {
  const shared = new SharedArrayBuffer(4);
  await using running = start(Obeys, { ...ACCEPT, shared });
  const [busy, other] = await twoClients(running);
  const second = await ask(other, "who");
  await busy.sendall(bytes("work\n"));
  await until(() => new Int32Array(shared)[0] === 1);
  for (const end = performance.now() + 200; performance.now() < end;) {
    using client = await running.connect();
    assertEquals(await ask(client, "who"), second);
  }
  await readText(busy, 37);
  busy.close();
  other.close();
});

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

Deno.test("Of two threads that see the last place, one takes it", async () => {
  const one = new SharedPlaces();
  const other = new SharedPlaces(one.memory);
  one.limit(1, false);
  assert(one.ready && other.ready);
  assert(one.take());
  assert(!other.take());
  assert(one.takeFilled() && !other.takeFilled());
  const free = other.fill();
  one.give();
  await within(free);
  assert(other.take());
  one.limit(1, true); // as "reject"
  assert(one.take() && one.exceeded);
});

workerTest(
  'maxConnectionsPolicy "reject" closes the connections beyond the limit of all workers',
  async () => {
    await using running = start(Obeys, {
      ...ACCEPT,
      maxConnections: 2,
      maxConnectionsPolicy: "reject",
    });
    const open = [await running.connect(), await running.connect()];
    for (const each of open) await ask(each, "who");
    for (let i = 0; i < 5; i++) {
      using client = await running.connect();
      assertEquals(await readAll(client), "");
    }
    await within(until(() => running.server.status.rejected === 5));
    assertEquals(running.server.status.active, 2);
    assert(running.server.status.limits.maxConnections >= 5);
    for (const each of open) await ask(each, "who");
    for (const each of open) each.close();
  },
);

workerTest(
  "serverClose() ends what is idle, waits for the rest and cuts off what stays, in all workers",
  async () => {
    const running = start(Obeys, ACCEPT);
    const { server } = running;
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
    assertEquals(await deadline(closing, 10_000), {
      idle: 2,
      finished: 1,
      forced: 1,
    });
    await running.served;
    assertEquals((slow as [string[]][])[0][0], ["127.0.0.1"]);
    const { state, active, idle: left, finished, forced } = server.status;
    assertEquals({ state, active, left, forced }, {
      state: "closed",
      active: 0,
      left: 0,
      forced: 1,
    });
    assert(finished >= 3);
    for (const each of [idle, waits, idle2, stays]) each.close();
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
      10_000,
    );
    assertEquals(report, { idle: 1, finished: 0, forced: 1 });
    await running.served;
    assertEquals(running.reports.left, 0);
    assertEquals(running.server.status.forced, 1);
    stuck.close();
    other.close();
  },
);

workerTest(
  "suspend() and shutdown() leave the clients in the queue, and the open requests go on",
  async () => {
    await using running = start(Obeys, ACCEPT);
    const { server } = running;
    using open = await running.connect();
    const worker = await ask(open, "who");
    server.suspend();
    assertEquals(server.status.state, "suspended");
    const { accepted } = server.status;
    const waiting = await Promise.all(
      Array.from({ length: 10 }, () => running.connect()),
    );
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
    await within(running.served);
    assertEquals(server.status.state, "stopped");
    assertEquals((await readText(open, 37)).trimEnd(), worker);
    const before = server.status.accepted;
    const later = await Promise.all(
      Array.from({ length: 10 }, () => running.connect()),
    );
    assertEquals(await ask(open, "who"), worker);
    assertEquals(server.status.accepted, before);
    const again = server.serveForever();
    for (const each of later) await ask(each, "who");
    for (const each of later) each.close();
    await server.shutdown();
    await within(again);
  },
);

workerTest(
  "Errors of handlers and time limits reach the hooks of the server, with the client",
  async () => {
    await using running = start(Obeys, {
      ...ACCEPT,
      requestTimeout: 0.3,
    } as never);
    const { server } = running;
    const limits: unknown[] = [];
    server.handleLimit = (...what: unknown[]) => void limits.push(what);
    using bad = await running.connect();
    await bad.sendall(bytes("throw\n"));
    assertEquals(await readAll(bad), "");
    const thrown = await running.reports.next();
    assertEquals(thrown.address, bad.getsockname());
    assertEquals(thrown.error.name, "RangeError");
    assertStringIncludes(thrown.error.stack!, "accepting_handlers.ts");

    using slow = await running.connect();
    await slow.sendall(bytes("wait\n"));
    await readAll(slow).catch(() => {});
    await within(until(() => limits.length === 1));
    assertEquals(limits, [["requestTimeout", slow.getsockname()]]);
    assertEquals(server.status.limits.requestTimeout, 1);

    server.requestTimeout = null; // for open requests and for later ones
    server.idleTimeout = 0.2;
    using quiet = await running.connect();
    assertEquals(await readAll(quiet).catch(() => ""), "");
    await within(until(() => server.status.limits.idleTimeout === 1));
  },
);

workerTest(
  "An address that is taken fails as without acceptIn, also by a server of the same program",
  async () => {
    await using running = start(Obeys, ACCEPT);
    const { serverAddress } = running.server;
    const make = (address: readonly [string, number], options = {}) =>
      new ThreadingTCPServer(address, Obeys, { ...ACCEPT, ...options });
    const taken = assertThrows(() => make(serverAddress)) as { code?: string };
    assertEquals(taken.code, "EADDRINUSE");
    await using other = new Running(make(["localhost", 0]));
    assert(other.server.serverAddress[1] !== serverAddress[1]);
    assertEquals(other.server.serverAddress[0], "127.0.0.1");
    using client = await other.connect();
    await ask(client, "who");

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
  "What cannot be done where workers accept is refused by name",
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
    const program = new URL("./testdata/accepting_server.ts", import.meta.url);
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
