/** Serving with several servers as one, until something ends it. */

import {
  AsyncTCPServer,
  AsyncUDPServer,
  DualRequestHandler,
  serve,
  StreamRequestHandler,
  TCPServer,
  warnings,
} from "../../mod.ts";
import { assertEquals, assertRejects } from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { ask, connectTo } from "../helpers/clients.ts";
import { EchoLine, LOOPBACK } from "../helpers/servers.ts";
import { Event, within } from "../helpers/within.ts";

class Echo extends DualRequestHandler {
  override async handle() {
    await this.wfile.write(await this.rfile.readline());
  }
}

/** A TCP and a UDP server on one port. */
function tcpAndUdp(): [AsyncTCPServer, AsyncUDPServer] {
  const tcp = new AsyncTCPServer(LOOPBACK, Echo);
  return [tcp, new AsyncUDPServer(tcp.serverAddress, Echo)];
}

/** Handlers that say when they run, and never end by themselves. */
function stuck() {
  const running = new Event();
  class Stuck extends StreamRequestHandler {
    override async handle() {
      running.set();
      await this.rfile.read();
    }
  }
  return { running, Stuck };
}

Deno.test("serve() serves with several servers until its signal, and closes them", async () => {
  const servers = tcpAndUdp();
  const stop = new AbortController();
  const served = serve(servers, { signal: stop.signal });
  for (const server of servers) {
    assertEquals(await ask(server, "hello\n"), "hello\n");
  }
  stop.abort();
  assertEquals(await within(served), { idle: 0, finished: 0, forced: 0 });
  assertEquals(servers.map((server) => server.fileno()), [-1, -1]);
});

Deno.test("serve() with a signal that is aborted already closes the server", async () => {
  const server = new TCPServer(LOOPBACK, EchoLine);
  await within(serve(server, { signal: AbortSignal.abort() }));
  assertEquals(server.fileno(), -1);
});

Deno.test("serve() ends with the first of the servers that ends", async () => {
  const servers = tcpAndUdp();
  const served = serve(servers);
  assertEquals(await ask(servers[1], "hello\n"), "hello\n");
  await servers[0].shutdown();
  await within(served);
  assertEquals(servers.map((server) => server.fileno()), [-1, -1]);
});

Deno.test("serve() throws what a loop ends with, when all servers are closed", async () => {
  class Failing extends AsyncTCPServer {
    override getRequest(): never {
      throw new TypeError("a bug");
    }
  }
  const [tcp, udp] = tcpAndUdp();
  const failing = new Failing(LOOPBACK, Echo);
  const served = serve([tcp, failing, udp]);
  const failed = assertRejects(() => within(served), TypeError, "a bug");
  (await connectTo(failing)).close();
  await failed;
  assertEquals([tcp, failing, udp].map((server) => server.fileno()), [
    ...[-1, -1, -1],
  ]);
});

for (const Server of [TCPServer, AsyncTCPServer]) {
  Deno.test(`serve() waits for the requests of ${Server.name}, and cuts them off after its timeout`, async () => {
    const { running, Stuck } = stuck();
    const servers = [
      new Server(LOOPBACK, Stuck),
      new AsyncTCPServer(LOOPBACK, Stuck),
    ];
    const stop = new AbortController();
    const served = serve(servers, { signal: stop.signal, timeout: 0.05 });
    using _client = await connectTo(servers[0]);
    await running.wait();
    stop.abort();
    assertEquals(await within(served), { idle: 0, finished: 0, forced: 1 });
  });
}

Deno.test({
  name:
    "serve() ends at a signal of the system, lets requests finish, and forgets the signal",
  ignore: Deno.build.os === "windows" || !granted("run"),
  async fn() {
    let others = 0;
    const count = () => void others++;
    Deno.addSignalListener("SIGUSR2", count); // it would end this process
    try {
      const running = new Event();
      class UntilDrain extends StreamRequestHandler {
        override async handle() {
          const { signal } = this;
          running.set();
          await new Promise((end) => signal.addEventListener("abort", end));
        }
      }
      const server = new AsyncTCPServer(LOOPBACK, UntilDrain);
      const served = serve(server, { signals: ["SIGUSR2"] });
      using _client = await connectTo(server);
      await running.wait();
      Deno.kill(Deno.pid, "SIGUSR2");
      assertEquals(await within(served), { idle: 0, finished: 1, forced: 0 });
      assertEquals(others, 1);
    } finally {
      Deno.removeSignalListener("SIGUSR2", count);
    }
  },
});

Deno.test("serve() goes on accepting in its shutdownDelay, as status.state says, until a server ends", async () => {
  const [tcp, udp] = tcpAndUdp();
  const stop = new AbortController();
  const { showwarning } = warnings;
  warnings.showwarning = () => {}; // longer than a timer can be, and so than a day
  const shutdownDelay = 2 ** 31 / 1000;
  const served = serve([tcp, udp], { signal: stop.signal, shutdownDelay });
  warnings.showwarning = showwarning;
  assertEquals(await ask(tcp, "before\n"), "before\n");
  assertEquals([tcp, udp].map(({ status }) => status.state), [
    ...["serving", "serving"],
  ]);
  stop.abort();
  assertEquals([tcp, udp].map(({ status }) => status.state), [
    ...["stopping", "stopping"],
  ]);
  assertEquals(await ask(tcp, "after\n"), "after\n");
  assertEquals(tcp.status.state, "stopping");
  await udp.shutdown();
  await within(served);
  assertEquals([tcp, udp].map(({ status }) => status.state), [
    ...["closed", "closed"],
  ]);
});

Deno.test("serve() closes its servers after shutdownDelay, but at once if its signal is aborted before", async () => {
  const stop = new AbortController();
  const late = serve(new AsyncTCPServer(LOOPBACK, Echo), {
    signal: stop.signal,
    shutdownDelay: 0.02,
  });
  stop.abort();
  await within(late);
  const server = new AsyncTCPServer(LOOPBACK, Echo);
  const signal = AbortSignal.abort();
  await within(serve(server, { signal, shutdownDelay: 3600 }));
});

Deno.test("serve() refuses a shutdownDelay or a timeout that is no time, and serves nothing", async () => {
  await using server = new AsyncTCPServer(LOOPBACK, Echo);
  const times = [["5", TypeError], [-1, RangeError], [Infinity, RangeError]];
  for (const [value, Kind] of times as [number, typeof TypeError][]) {
    for (const options of [{ shutdownDelay: value }, { timeout: value }]) {
      await assertRejects(() => within(serve(server, options)), Kind);
      assertEquals(server.status.state, "created", JSON.stringify(options));
    }
  }
  const shutdownDelay = null as unknown as number;
  await assertRejects(() => serve(server, { shutdownDelay }), TypeError);
  await server.serverClose();
});
