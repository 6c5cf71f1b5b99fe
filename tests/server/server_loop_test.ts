/** The loop of a server: the order of its stages, and what starts and ends it. */

import { StreamRequestHandler } from "../../handlers.ts";
import { AsyncTCPServer } from "../../mixins.ts";
import { TCPServer, UDPServer } from "../../server.ts";
import type { InetAddress, Socket } from "../../socket.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertSpyCalls,
  fakeTime,
  spy,
} from "../deps.ts";
import { ask, connectTo, tell } from "../helpers/clients.ts";
import {
  EchoDatagram,
  EchoLine,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { turn } from "../helpers/turns.ts";
import { Event, within } from "../helpers/within.ts";

type Stage =
  | "getRequest"
  | "verifyRequest"
  | "processRequest"
  | "finishRequest"
  | "setup"
  | "handle"
  | "finish"
  | "handleError"
  | "shutdownRequest"
  | "closeRequest"
  | "serviceActions";

/** A server that notes its stages, and throws in some of them. */
function traced(bad: Stage[] = []): { server: TCPServer; trace: string[] } {
  const trace: string[] = [];
  const note = (stage: Stage) => {
    trace.push(stage);
    if (bad.includes(stage)) throw new Error(stage);
  };
  class Handler extends StreamRequestHandler {
    override setup() {
      super.setup();
      note("setup");
    }
    override handle() {
      note("handle");
    }
    override async finish() {
      await super.finish();
      note("finish");
    }
  }
  class Server extends TCPServer {
    override async getRequest() {
      const got = await super.getRequest();
      note("getRequest");
      return got;
    }
    override verifyRequest() {
      note("verifyRequest");
      return true;
    }
    override async processRequest(request: Socket, clientAddress: InetAddress) {
      note("processRequest");
      await super.processRequest(request, clientAddress);
    }
    override async finishRequest(request: Socket, clientAddress: InetAddress) {
      note("finishRequest");
      await super.finishRequest(request, clientAddress);
    }
    override async shutdownRequest(request: Socket) {
      try {
        note("shutdownRequest");
      } finally {
        await super.shutdownRequest(request);
      }
    }
    override closeRequest(request: Socket) {
      note("closeRequest");
      super.closeRequest(request);
    }
    override handleError(_request: Socket, _from: InetAddress, error: unknown) {
      note("handleError");
      trace.push(describe(error));
    }
  }
  return { server: new Server(LOOPBACK, Handler), trace };
}

function describe(error: unknown): string {
  if (!(error instanceof SuppressedError)) return (error as Error).message;
  return `${error.error.message} over ${error.suppressed.message}`;
}

const ARRIVAL = ["getRequest", "verifyRequest"];
const BEGIN = [...ARRIVAL, "processRequest", "finishRequest", "setup"];
const END = ["shutdownRequest", "closeRequest"];

const ORDERS: [string, Stage[], string[]][] = [
  ["nothing throws", [], [...BEGIN, "handle", "finish", ...END]],
  ["setup throws", ["setup"], [...BEGIN, "handleError", "setup", ...END]],
  ["handle throws", ["handle"], [
    ...BEGIN,
    "handle",
    "finish",
    "handleError",
    "handle",
    ...END,
  ]],
  ["finish throws", ["finish"], [
    ...BEGIN,
    "handle",
    "finish",
    "handleError",
    "finish",
    ...END,
  ]],
  ["handle and finish throw", ["handle", "finish"], [
    ...BEGIN,
    "handle",
    "finish",
    "handleError",
    "finish over handle",
    ...END,
  ]],
  ["verifyRequest throws", ["verifyRequest"], [
    ...ARRIVAL,
    "handleError",
    "verifyRequest",
    ...END,
  ]],
  ["processRequest throws", ["processRequest"], [
    ...ARRIVAL,
    "processRequest",
    "handleError",
    "processRequest",
    ...END,
  ]],
];

for (const [when, bad, order] of ORDERS) {
  Deno.test(`TCPServer calls its hooks in order when ${when}, and goes on`, async () => {
    const { server, trace } = traced(bad);
    await serving(server, async () => {
      await tell(server, "one");
      assertEquals(trace, order);
      await tell(server, "two");
      assertEquals(trace, [...order, ...order]);
    });
    assertEquals(server.status.active, 0);
  });
}

Deno.test("TCPServer.serveForever() ends if shutdownRequest() throws again after handleError()", async () => {
  const { server, trace } = traced(["shutdownRequest"]);
  const served = assertRejects(() => server.serveForever(), Error, "shutdown");
  using _client = await connectTo(server);
  await within(served);
  const ends = [...END, "handleError", "shutdownRequest", ...END];
  assertEquals(trace.slice(-ends.length), ends);
  await server.serverClose();
});

Deno.test("TCPServer handles one request at a time", async () => {
  const release = new Event();
  const began: string[] = [];
  class Slow extends StreamRequestHandler {
    override async handle() {
      const line = await this.rfile.readline();
      began.push(new TextDecoder().decode(line));
      if (began.length === 1) await release.wait();
      await this.wfile.write(line);
    }
  }
  await serving(new TCPServer(LOOPBACK, Slow), async (server) => {
    const first = ask(server, "first\n");
    using second = await connectTo(server); // the backlog takes it
    await second.sendall(new TextEncoder().encode("second\n"));
    second.settimeout(0.05);
    await assertRejects(() => second.recv(100), Error, "timed out");
    assertEquals(began, ["first\n"]);
    release.set();
    assertEquals(await first, "first\n");
    second.settimeout(30);
    assertEquals(new TextDecoder().decode(await second.recv(100)), "second\n");
  });
});

for (
  const [where, when] of [["", "null"], ["socket", "socket's"], [
    "server",
    "server's",
  ]]
) {
  Deno.test(`TCPServer.handleRequest() waits as long as the smaller timeout: ${when}`, async () => {
    let timeouts = 0;
    class Server extends TCPServer {
      static override timeout = where === "server" ? 0.02 : null;
      override handleTimeout() {
        timeouts++;
      }
    }
    await using server = new Server(LOOPBACK, EchoLine);
    if (where === "server") server.socket.settimeout(60);
    if (where === "socket") {
      server.socket.settimeout(0.02);
      server.timeout = 60;
    }
    if (where !== "") {
      const begin = performance.now();
      await within(server.handleRequest());
      const took = performance.now() - begin;
      assert(took >= 19 && took < 30_000, `${took} ms`);
      assertEquals(timeouts, 1);
    }
    const handled = server.handleRequest();
    assertEquals(await ask(server, "hello\n"), "hello\n");
    await within(handled);
    assertEquals(timeouts, Number(where !== ""));
  });
}

Deno.test("TCPServer.handleRequest() with timeout 0 looks once", async () => {
  let timeouts = 0;
  class Server extends TCPServer {
    static override timeout = 0;
    override handleTimeout() {
      timeouts++;
    }
  }
  await using server = new Server(LOOPBACK, EchoLine);
  await server.handleRequest();
  assertEquals(timeouts, 1);
  const answer = ask(server, "hello\n");
  while (server.status.accepted === 0) await server.handleRequest();
  assertEquals(await answer, "hello\n");
});

Deno.test("TCPServer.handleRequest() twice at a time handles two requests", async () => {
  await using server = new TCPServer(LOOPBACK, EchoLine);
  const handled = [server.handleRequest(), server.handleRequest()];
  assertEquals(await ask(server, "one\n"), "one\n");
  assertEquals(await ask(server, "two\n"), "two\n");
  await within(Promise.all(handled));
});

Deno.test("TCPServer.handleRequest() passes on what handleTimeout() throws", async () => {
  class Server extends TCPServer {
    override handleTimeout() {
      throw new Error("nobody came");
    }
  }
  await using server = new Server(LOOPBACK, EchoLine, { timeout: 0 });
  await assertRejects(() => server.handleRequest(), Error, "nobody came");
});

Deno.test("TCPServer calls serviceActions() after each request, and every pollInterval", async () => {
  await using server = new TCPServer(LOOPBACK, EchoLine);
  using actions = spy(server, "serviceActions");
  using time = await fakeTime();
  const served = server.serveForever({ pollInterval: 0.5 });
  await ask(server, "one\n");
  await ask(server, "two\n"); // one at a time: the first is over
  const { length } = actions.calls;
  assert(length >= 1 && length <= 2, `${length} calls`);
  await server.shutdown();
  await served;
  const again = server.serveForever({ pollInterval: 0.5 });
  const begun = actions.calls.length;
  for (let tick = 1; tick <= 3; tick++) {
    await time.tickAsync(499);
    assertSpyCalls(actions, begun + tick - 1);
    await time.tickAsync(1);
    await turn();
    assertSpyCalls(actions, begun + tick);
  }
  await server.shutdown();
  await again;
  assertEquals(server.status.accepted, 2);
});

Deno.test("TCPServer.serveForever() ends with what serviceActions() throws", async () => {
  class Server extends TCPServer {
    override serviceActions() {
      throw new Error("out of service");
    }
  }
  await using server = new Server(LOOPBACK, EchoLine);
  const served = server.serveForever({ pollInterval: 0.005 });
  await within(assertRejects(() => served, Error, "out of service"));
  await server.shutdown(); // nothing to wait for
});

Deno.test("TCPServer.serveForever() checks pollInterval, and takes Infinity for never", async () => {
  await using server = new TCPServer(LOOPBACK, EchoLine);
  using actions = spy(server, "serviceActions");
  using time = await fakeTime();
  for (const pollInterval of [0, -1, NaN]) {
    const serve = () => server.serveForever({ pollInterval });
    await assertRejects(serve, RangeError, `got ${pollInterval}`);
  }
  const served = server.serveForever({ pollInterval: Infinity });
  await time.tickAsync(86_400_000);
  assertSpyCalls(actions, 0);
  await server.shutdown();
  await served;
});

Deno.test("TCPServer.serveForever() ends when its signal aborts, or has", async () => {
  await using server = new TCPServer(LOOPBACK, EchoLine);
  const controller = new AbortController();
  const served = server.serveForever({ signal: controller.signal });
  assertEquals(await ask(server, "hello\n"), "hello\n");
  controller.abort();
  await within(served);
  const pending = ask(server, "later\n");
  await within(server.serveForever({ signal: controller.signal }));
  await within(server.handleRequest());
  assertEquals(await pending, "later\n");
});

Deno.test("TCPServer.serveForever() rejects while the server serves", async () => {
  await serving(new TCPServer(LOOPBACK, EchoLine), async (server) => {
    const again = () => server.serveForever();
    await assertRejects(again, Error, "the server is serving already");
    assertEquals(await ask(server, "hello\n"), "hello\n");
  });
});

Deno.test("TCPServer.shutdown() before serveForever() ends that at once, as in CPython, and twice is fine", async () => {
  await using server = new TCPServer(LOOPBACK, EchoLine);
  await server.shutdown();
  await within(server.serveForever());
  const served = server.serveForever(); // the one before has taken it
  assertEquals(await ask(server, "hello\n"), "hello\n");
  await Promise.all([server.shutdown(), server.shutdown()]);
  await within(served);
  await server.shutdown();
  await within(server.serveForever());
});

for (const Server of [TCPServer, AsyncTCPServer]) {
  for (
    const place of ["handle", "verifyRequest", "handleError", "serviceActions"]
  ) {
    Deno.test(`${Server.name}.shutdown() can be awaited in ${place}()`, async () => {
      let stop: () => Promise<void> | undefined = () => undefined;
      class Handler extends EchoLine {
        override async handle() {
          await super.handle();
          if (place === "handle") await stop();
          if (place === "handleError") throw new Error("a bug");
        }
      }
      class Stopping extends Server {
        override async verifyRequest() {
          if (place === "verifyRequest") await stop();
          return true;
        }
        override async handleError() {
          await stop();
        }
        override async serviceActions() {
          if (place === "serviceActions" && this.status.accepted > 0) {
            await stop();
          }
        }
      }
      await using server = new Stopping(LOOPBACK, Handler);
      stop = () => server.shutdown();
      const served = server.serveForever();
      assertEquals(await ask(server, "hello\n"), "hello\n");
      await within(served);
    });
  }
}

Deno.test("UDPServer drops what a datagram has beyond maxPacketSize", async () => {
  class Small extends UDPServer {
    static override maxPacketSize = 4;
  }
  await serving(new Small(LOOPBACK, EchoDatagram), async (server) => {
    assertEquals(await ask(server, "0123456789"), "0123");
    server.maxPacketSize = 6;
    assertEquals(await ask(server, "0123456789"), "012345");
  });
});
