/** Forking servers whose children accept have the limits, hooks, events, totals and reports of every server. */

import {
  AF_INET6,
  createConnection,
  ForkingTCPServer,
  type Socket,
} from "../../mod.ts";
import { subscribe } from "../../telemetry.ts";
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { haveIPv6, mayFork } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { dial, LineClient } from "../helpers/clients.ts";
import { assertNoneLeft, descriptors } from "../helpers/descriptors.ts";
import { TCP } from "../helpers/forking.ts";
import { recvToEnd } from "../helpers/sockets.ts";
import { boundedCommand, until, within } from "../helpers/within.ts";
import { ObeysShort } from "../testdata/accepting_handlers.ts";
import { Asks } from "../testdata/forking_handlers.ts";

const LOOPBACK: [string, number] = ["127.0.0.1", 0];
const ACCEPT = { acceptIn: "children" } as const;

/** Receives until the server closes or resets the connection. */
async function ended(client: Socket): Promise<string> {
  return text(await within(recvToEnd(client)).catch(() => new Uint8Array()));
}

/** Checks that each accepted request is counted once. */
function assertAddsUp({ status }: TCP): void {
  const { accepted, finished, failed, forced, rejected, active } = status;
  assertEquals(accepted, finished + failed + forced + rejected + active);
}

Deno.test({
  name:
    "acceptIn children enforces limits, reports errors of handlers, and counts idle requests at the close",
  ignore: !mayFork,
  async fn() {
    let actions = 0;
    class Acting extends TCP {
      override async serviceActions(): Promise<void> {
        actions++;
        await super.serviceActions();
      }
    }
    const server = new Acting(LOOPBACK, ObeysShort, {
      ...ACCEPT,
      maxChildren: 1,
      requestTimeout: 0.3,
    });
    const limits: unknown[] = [];
    server.handleLimit = (...what: unknown[]) => void limits.push(what);
    server.handleSlowClose = () => {};
    const served = server.serveForever({ pollInterval: 0.05 });

    using slow = await dial(server.serverAddress);
    await slow.sendall(bytes("wait\n"));
    await ended(slow);
    await within(until(() => limits.length === 1));
    assertEquals(limits, [["requestTimeout", slow.getsockname()]]);

    server.requestTimeout = null;
    server.idleTimeout = 0.2;
    using quiet = await dial(server.serverAddress);
    await ended(quiet);
    await within(until(() => limits.length === 2));
    assertEquals(limits[1], ["idleTimeout", quiet.getsockname()]);

    server.idleTimeout = null;
    using long = await dial(server.serverAddress);
    await long.sendall(bytes("x".repeat(200)));
    await ended(long);
    await within(until(() => limits.length === 3));
    assertEquals(limits[2], ["lineLimit", long.getsockname()]);
    const { requestTimeout, idleTimeout, lineLimit } = server.status.limits;
    assertEquals({ requestTimeout, idleTimeout, lineLimit }, {
      requestTimeout: 1,
      idleTimeout: 1,
      lineLimit: 1,
    });
    await server.waitForConnections(0, { timeout: 20 });
    while (server.reports.left > 0) await server.reports.next(); // of the limits

    using bad = await dial(server.serverAddress);
    await bad.sendall(bytes("throw\n"));
    await ended(bad);
    const { error, address } = await server.reports.next();
    assert(error instanceof RangeError);
    assertEquals(error.message, "thrown by the handler");
    assert(error.stack!.includes("accepting_handlers.ts"));
    assertEquals(address, bad.getsockname());

    using idle = await LineClient.connect(server.serverAddress);
    await idle.ask("who");
    using waits = await dial(server.serverAddress);
    await waits.sendall(bytes("wait\n"));
    using stays = await dial(server.serverAddress);
    await stays.sendall(bytes("stay\n"));
    await within(
      until(() => server.status.active === 3 && server.status.idle === 1),
    );
    assert(actions > 0);
    const closing = server.serverClose();
    assert((await ended(waits)).startsWith("aborted\n"));
    await within(until(() => server.status.active === 1));
    await within(server.serverClose({ timeout: 0 }));
    const report = { idle: 1, finished: 1, forced: 1 };
    assertEquals(await within(closing), report);
    await served;
    assertAddsUp(server);
    const { failed, forced, active } = server.status;
    assertEquals({ forced, active }, { forced: 1, active: 0 });
    assert(failed >= 1);
  },
});

Deno.test({
  name:
    "acceptIn children pairs events, also for a late subscriber, and has correct totals after a child was killed",
  ignore: !mayFork,
  async fn() {
    const names: string[] = [];
    const open = new Map<number, string>();
    const log = (name: string) => () => void names.push(name);
    await using stack = new AsyncDisposableStack();
    stack.use(subscribe("socketserver.listener.start", log("listens")));
    stack.use(subscribe("socketserver.listener.stop", log("closed")));
    stack.use(subscribe("socketserver.child.start", log("child")));
    stack.use(subscribe("socketserver.child.exit", log("exit")));

    const server = new TCP(LOOPBACK, Asks, { ...ACCEPT, maxChildren: 2 });
    const served = server.serveForever();
    using victim = await LineClient.connect(server.serverAddress);
    const pid = Number(await victim.ask("pid"));
    const ask = async () => {
      using client = await LineClient.connect(server.serverAddress);
      return await client.ask("hello").catch(() => "");
    };
    for (let i = 0; i < 100; i++) await ask(); // later requests are only counted

    let starts = 0;
    const late = [
      subscribe("socketserver.request.start", ({ id, clientAddress }) => {
        starts++;
        assert(!open.has(id));
        open.set(id, String(clientAddress));
      }),
      subscribe("socketserver.request.stop", ({ id, clientAddress }) => {
        if (open.get(id) === String(clientAddress)) open.delete(id);
      }),
    ];
    for (const each of late) stack.use(each);
    // Each child hears of the subscribers with its next report.
    await within((async () => {
      while (starts < 6 || open.size > 0) await ask();
    })());

    await within(until(() => server.status.active === 1));
    const load = Array.from({ length: 4 }, async () => {
      for (let i = 0; i < 10; i++) await ask();
    });
    Deno.kill(pid, "SIGKILL");
    await within(Promise.all(load));
    const { error } = await server.reports.next();
    assertEquals(error.name, "ChildProcessError");
    await server.waitForConnections(0, { timeout: 20 });
    await within(until(() => server.activeChildren!.size === 2)); // the killed child was replaced
    await within(server.serverClose({ timeout: 5 }));
    await served;
    assertAddsUp(server);
    assert(server.status.failed >= 1);
    assertEquals(open.size, 0);
    assertEquals(server.status.active, 0);
    const count = (name: string) => names.filter((each) => each === name);
    assertEquals(count("listens").length, 1);
    assertEquals(count("closed").length, 1);
    assertEquals(count("child").length, 3);
    assertEquals(count("exit").length, 3);
  },
});

Deno.test({
  name: "acceptIn children refuses hooks that a program sets before it serves",
  ignore: !mayFork,
  async fn() {
    for (const hook of ["verifyRequest", "processRequest"] as const) {
      await using server = new TCP(LOOPBACK, Asks, ACCEPT);
      Object.defineProperty(server, hook, { value: () => true });
      await assertRejects(
        () => within(server.serveForever()),
        TypeError,
        `Cannot serve with a TCP and acceptIn "children": it overrides ${hook}, which is not called`,
      );
    }
  },
});

Deno.test({
  name:
    "acceptIn children serves again after a shutdown, also over IPv6, and leaves no child and no descriptor",
  ignore: !mayFork,
  async fn() {
    let before: number | undefined;
    for (let cycle = 0; cycle < 3; cycle++) {
      const six = haveIPv6 && cycle % 2 === 1;
      const server = new ForkingTCPServer(
        six ? ["::1", 0] : LOOPBACK,
        Asks,
        { ...ACCEPT, maxChildren: 1, ...six && { addressFamily: AF_INET6 } },
      );
      for (let turn = 0; turn < 2; turn++) {
        const served = server.serveForever();
        const client = new LineClient(
          await createConnection(server.serverAddress, { timeout: 20 }),
        );
        const [address, , own] = JSON.parse(await client.ask("names"));
        assertEquals(own, JSON.parse(JSON.stringify(server.serverAddress)));
        assertEquals(address[0], six ? "::1" : "127.0.0.1");
        client.close();
        await within(server.shutdown());
        await served;
      }
      await within(server.serverClose({ timeout: 5 }));
      assertEquals([...server.activeChildren!], []);
      if (cycle === 0) before = descriptors();
    }
    await assertNoneLeft(before);
  },
});

Deno.test({
  name: "A program whose children accept ends when its server has closed",
  ignore: !mayFork,
  async fn() {
    const program = new URL("../testdata/accepting_server.ts", import.meta.url);
    const { code, stdout, stderr } = await boundedCommand(Deno.execPath(), {
      args: ["run", "--allow-all", "--no-check", program.pathname, "children"],
    }).output();
    assertEquals({ code, stderr: text(stderr) }, { code: 0, stderr: "" });
    assertEquals(
      text(stdout),
      "hello\n{ idle: 0, finished: 0, forced: 0 }\n",
    );
  },
});
