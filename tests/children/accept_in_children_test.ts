/** Forking servers whose children accept: how they serve, drain and replace children that die, stall or retire. */

import type { ForkingMixInOptions, ServerOptions } from "../../mod.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../deps.ts";
import { mayFork } from "../helpers/allowed.ts";
import { LineClient } from "../helpers/clients.ts";
import { serving, TCP } from "../helpers/forking.ts";
import { until, within } from "../helpers/within.ts";
import { Asks } from "../testdata/forking_handlers.ts";

const LOOPBACK: [string, number] = ["127.0.0.1", 0];

/** A handler whose module does not exist. */
class Lost extends Asks {
  static override readonly moduleUrl =
    new URL("../testdata/gone.ts", import.meta.url).href;
}

function serverWith(options: ForkingMixInOptions & ServerOptions = {}): TCP {
  return new TCP(LOOPBACK, Asks, { acceptIn: "children", ...options });
}

/** Asks a question on a new connection. */
async function ask(server: TCP, line: string): Promise<string> {
  using client = await LineClient.connect(server.serverAddress);
  return await client.ask(line);
}

/** Waits until no request of a server is under way. */
async function quiet(server: TCP): Promise<void> {
  await server.waitForConnections(0, { timeout: 20 });
}

Deno.test({
  name:
    "acceptIn children serves, counts and reports as the server does, pauses with suspend, and the drain reports the requests of the children",
  ignore: !mayFork,
  async fn() {
    const server = serverWith({ maxChildren: 2 });
    const served = server.serveForever();
    const pids = await Promise.all(
      Array.from({ length: 8 }, () => ask(server, "pid")),
    );
    for (const pid of pids) assert(server.activeChildren!.has(Number(pid)));
    const names = await ask(server, "names");
    const [client, peer, own] = JSON.parse(names);
    assertEquals({ client, own }, { client: peer, own: server.serverAddress });
    const lanes = Array.from({ length: 5 }, async () => {
      for (let i = 0; i < 40; i++) await ask(server, "x"); // later requests end before they are reported
    });
    await within(Promise.all(lanes));
    await within(until(() => server.status.finished === 209));
    const { accepted, finished, failed, active, bytesIn, bytesOut, state } =
      server.status;
    assertEquals(
      { accepted, finished, failed, active, state },
      { accepted: 209, finished: 209, failed: 0, active: 0, state: "serving" },
    );
    const out = pids.join("").length + 8 + names.length + 1 + 200 * 2;
    assertEquals({ bytesIn, bytesOut }, {
      bytesIn: 8 * 4 + 6 + 200 * 2,
      bytesOut: out,
    });
    await assertRejects(
      () => server.handleRequest(),
      Error,
      'Cannot handle a single request with acceptIn "children": the children accept by themselves',
    );
    for (
      const change of [
        () => server.maxAcceptRate = 5,
        () => server.maxConnectionsPerClient = 5,
        () => server.maxConnectionsPolicy = "reject",
      ]
    ) assertThrows(change, TypeError, 'acceptIn "children"');
    await checkPauseAndDrain(server);
    await served;
    assertEquals([...server.activeChildren!], []);
  },
});

async function checkPauseAndDrain(server: TCP): Promise<void> {
  using open = await LineClient.connect(server.serverAddress);
  await open.ask("hello");
  server.suspend();
  await assertRejects(() => server.waitForConnections(0, { timeout: 0.1 }));
  await within(until(() => server.status.active === 1)); // the child may report the end later
  const stop = new AbortController();
  const { signal } = stop;
  const waits = server.waitForConnections(0, { signal });
  stop.abort(new Error("no longer")); // while the children are asked
  await assertRejects(() => within(waits), Error, "no longer");
  using later = await LineClient.connect(server.serverAddress);
  await later.send("later");
  await server.waitForConnections(1);
  assertEquals(server.status.active, 1);
  server.resume();
  assertEquals(await later.line(), "LATER");
  for (let i = 0; i < 3; i++) await ask(server, "x");
  await within(server.waitForConnections(2)); // the drain counts a request that has not ended
  using last = await LineClient.connect(server.serverAddress);
  await last.ask("x"); // perhaps not reported yet
  await open.send("drain");
  const closing = server.serverClose({ timeout: 20 });
  assertEquals(await open.line(), "aborted");
  open.close();
  later.close();
  last.close();
  const report = await within(closing, 30_000);
  assertEquals(report, { idle: 0, finished: 3, forced: 0 });
}

Deno.test({
  name:
    "acceptIn children never exceeds maxConnections, even while a child with credit dies",
  ignore: !mayFork,
  async fn() {
    await using server = serverWith({ maxConnections: 2, maxChildren: 2 });
    await using _ = serving(server);
    for (let i = 0; i < 100; i++) await ask(server, "x"); // children then take more than one at a time
    using first = await LineClient.connect(server.serverAddress);
    using second = await LineClient.connect(server.serverAddress);
    const pid = Number(await first.ask("pid"));
    await second.ask("x");
    using third = await LineClient.connect(server.serverAddress);
    using fourth = await LineClient.connect(server.serverAddress);
    let answered = 0;
    const answers = [third.ask("third"), fourth.ask("fourth")];
    for (const answer of answers) answer.then(() => answered++, () => {});
    for (let i = 0; i < 50; i++) await second.ask("x"); // gives the others time
    assertEquals(answered, 0);
    assertEquals(server.status.active, 2);
    Deno.kill(pid, "SIGKILL");
    const { error } = await server.reports.next();
    assertEquals(error.name, "ChildProcessError");
    await within(Promise.race(answers));
    assert(server.status.active <= 2);
    second.close();
    await within(Promise.all(answers));
  },
});

Deno.test({
  name:
    "acceptIn children holds maxConnections silent clients, and serves the next one once one has left",
  ignore: !mayFork,
  async fn() {
    const most = 300;
    await using server = serverWith({ maxChildren: 3, maxConnections: most });
    await using _ = serving(server);
    for (let i = 0; i < 100; i++) await ask(server, "x"); // children then take more than one at a time
    const clients: LineClient[] = [];
    for (let i = 0; i <= most; i++) {
      clients.push(await LineClient.connect(server.serverAddress));
    }
    await within(until(() => server.status.active === most), 30_000);
    let answered = 0;
    const answers = clients.map(async (client) => {
      assertEquals(await client.ask("hello"), "HELLO");
      answered++;
      return client;
    });
    const first = await within(Promise.any(answers));
    await within(until(() => answered === most), 30_000);
    assertEquals(server.status.active, most);
    first.close();
    await within(Promise.all(answers), 30_000);
    for (const client of clients) client.close();
  },
});

Deno.test({
  name:
    "acceptIn children loses only the connections of a child that is killed",
  ignore: !mayFork,
  async fn() {
    await using server = serverWith({ maxChildren: 2 });
    await using _ = serving(server);
    using victim = await LineClient.connect(server.serverAddress);
    const pid = Number(await victim.ask("pid"));
    let lost = 0;
    let killed = false;
    const load = Array.from({ length: 8 }, async () => {
      for (let i = 0; i < 40; i++) {
        if (i === 10 && !killed) {
          killed = true;
          Deno.kill(pid, "SIGKILL");
        }
        const answer = await ask(server, "hello").catch(() => "");
        if (answer !== "HELLO") lost++;
      }
    });
    await within(Promise.all(load), 60_000);
    assert(lost <= 8, `lost ${lost}`); // the connections of the child: at most one for each client
    assertEquals(await victim.line().catch(() => ""), "");
    await quiet(server);
    const pids = [...server.activeChildren!];
    for (const pid of pids) Deno.kill(pid, "SIGKILL");
    await within(
      until(() => !pids.some((pid) => server.activeChildren!.has(pid))),
    );
    assertEquals(await ask(server, "hello"), "HELLO"); // the server learnt of the deaths only from the exits
  },
});

Deno.test({
  name:
    "acceptIn children keeps no client behind a child that computes, and childTimeout ends the child",
  ignore: !mayFork,
  async fn() {
    await using server = serverWith({ childTimeout: 6 });
    await using _ = serving(server);
    await ask(server, "hello");
    server.suspend();
    await quiet(server); // the children know
    using stuck = await LineClient.connect(server.serverAddress);
    await stuck.send("spin"); // the first of several connections that a child takes at once
    const answers: Promise<string>[] = [];
    for (let i = 0; i < 12; i++) {
      const client = await LineClient.connect(server.serverAddress);
      await client.send("hello");
      answers.push(client.line().finally(() => client.close()));
    }
    server.resume();
    assertEquals(await within(Promise.all(answers)), Array(12).fill("HELLO"));
    const { error } = await within(server.reports.next(), 20_000);
    assertEquals(error.name, "TimeoutError");
    assertEquals(await stuck.line().catch(() => ""), "");
  },
});

Deno.test({
  name:
    "acceptIn children serves clients while all accepting children are stopped, and closes",
  ignore: !mayFork,
  async fn() {
    const count = navigator.hardwareConcurrency + 1;
    const server = serverWith({ maxChildren: count });
    const served = server.serveForever();
    const pids = new Set<string>();
    const clients: LineClient[] = [];
    while (pids.size < count) { // until all children are ready
      const client = await LineClient.connect(server.serverAddress);
      clients.push(client);
      pids.add(await client.ask("pid"));
    }
    for (const client of clients) client.close();
    await quiet(server); // each child accepts the next connection
    for (const pid of pids) Deno.kill(Number(pid), "SIGSTOP");
    server.maxChildren = count + 1;
    const later = Array.from(
      { length: count + 1 }, // each stopped child may get one
      () => ask(server, "hello"),
    );
    assertEquals(await within(Promise.any(later), 60_000), "HELLO");
    await within(server.serverClose({ timeout: 1 }), 60_000);
    await served;
    await Promise.allSettled(later);
    assertEquals([...server.activeChildren!], []);
  },
});

Deno.test({
  name:
    "acceptIn children retires children after requestsPerChild, and loses no connection",
  ignore: !mayFork,
  async fn() {
    await using server = serverWith({ maxChildren: 2, requestsPerChild: 8 });
    await using _ = serving(server);
    const served = new Map<string, number>();
    const load = Array.from({ length: 4 }, async () => {
      for (let i = 0; i < 8; i++) {
        const pid = await ask(server, "pid");
        assert(pid !== "");
        served.set(pid, (served.get(pid) ?? 0) + 1);
      }
    });
    await within(Promise.all(load), 60_000);
    for (const count of served.values()) {
      assert(count <= 8 + 4, `${count} requests`); // the server may assign further requests
    }
    await quiet(server);
    assertEquals(server.status.accepted, 32);
    assertThrows(
      () => serverWith({ requestsPerChild: 1 }),
      TypeError,
      "it cannot have requestsPerChild 1",
    );
    assertThrows(
      () => server.requestsPerChild = 1,
      TypeError,
      "it cannot have requestsPerChild 1",
    );
    assertEquals(server.requestsPerChild, 8);
  },
});

Deno.test({
  name:
    "acceptIn children closes clients and calls handleError if no child can start, and goes on",
  ignore: !mayFork,
  async fn() {
    const options = { acceptIn: "children", maxChildren: 1 } as const;
    await using server = new TCP(LOOPBACK, Lost, options);
    await using _ = serving(server);
    using client = await LineClient.connect(server.serverAddress);
    const { error } = await within(server.reports.next(), 30_000);
    assert(error instanceof Error);
    assertEquals(await client.line().catch(() => ""), "");
    assertEquals(server.status.state, "serving");
  },
});
