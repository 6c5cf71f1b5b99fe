/** The end of a server that nobody forces: its limit of time, what it says, and who may ask for it. */

import {
  AsyncTCPServer,
  ForkingTCPServer,
  serve,
  ThreadingTCPServer,
} from "../../mod.ts";
import {
  DatagramRequestHandler,
  StreamRequestHandler,
} from "../../handlers.ts";
import {
  type RequestHandlerConstructor,
  type ServerCloseReport,
  TCPServer,
} from "../../server.ts";
import {
  type InetAddress,
  OSError,
  select,
  type Socket,
} from "../../socket.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "../deps.ts";
import { granted, unstableNet } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { ask, connectTo } from "../helpers/clients.ts";
import { Stderr } from "../helpers/reports.ts";
import {
  type AnyServer,
  EchoLine,
  type Kind,
  KINDS,
  LOOPBACK,
} from "../helpers/servers.ts";
import { boundedCommand, Event, until, within } from "../helpers/within.ts";
import { Echo } from "../testdata/handlers.ts";

const mayRun = granted("read", "run", "env");

/** Defines a test for each kind of server. */
function each(behaviour: string, test: (kind: Kind) => Promise<void>): void {
  for (const kind of KINDS) {
    const { name, ignore } = kind;
    Deno.test({ name: `${name} ${behaviour}`, ignore, fn: () => test(kind) });
  }
}

/** A handler that runs until it is cut off, for connections and for datagrams. */
function stuck(Handler: RequestHandlerConstructor) {
  const began = new Event();
  class Stuck extends Handler {
    override handle(): Promise<void> {
      began.set();
      return new Promise(() => {});
    }
  }
  return { began, Stuck };
}

each(
  "await using ends after closeTimeout, and shows the error of the program",
  async (kind) => {
    const { began, Stuck } = stuck(kind.Handler);
    const program = async () => {
      await using server = new kind.Server(kind.address(), Stuck, {
        ...kind.options,
        closeTimeout: 0.02,
      });
      server.serveForever();
      using client = await connectTo(server);
      await client.sendall(bytes("x"));
      await began.wait();
      throw new Error("of the program");
    };
    await within(assertRejects(program, Error, "of the program"));
  },
);

each("serve() ends after closeTimeout", async (kind) => {
  const { began, Stuck } = stuck(kind.Handler);
  class Server extends kind.Server {
    static closeTimeout = 0.02;
  }
  const server = new Server(kind.address(), Stuck, kind.options);
  const stop = new AbortController();
  const served = serve(server, { signal: stop.signal });
  using client = await connectTo(server);
  await client.sendall(bytes("x"));
  await began.wait();
  stop.abort();
  assertEquals(await within(served), { idle: 0, finished: 0, forced: 1 });
});

for (const Server of [ThreadingTCPServer, ForkingTCPServer]) {
  Deno.test({
    name:
      `${Server.name} ends after closeTimeout with an idle client, under await using and serve()`,
    ignore: !mayRun,
    async fn() {
      for (const how of ["using", "serve"]) {
        const stop = new AbortController();
        const make = () => new Server(LOOPBACK, Echo, { closeTimeout: 0.05 });
        const idle = async (server: TCPServer) => {
          const client = await connectTo(server);
          await client.sendall(bytes("x"));
          assertEquals(text(await client.recv(1)), "x");
          return client;
        };
        if (how === "using") {
          await within((async () => {
            await using server = make();
            server.serveForever();
            using _client = await idle(server);
          })());
        } else {
          const server = make();
          const served = serve(server, { signal: stop.signal });
          using _client = await idle(server);
          stop.abort();
          assertEquals(await within(served), {
            idle: 0,
            finished: 0,
            forced: 1,
          });
        }
      }
    },
  });
}

Deno.test("BaseServer.closeTimeout is 10 seconds, for await using and serve()", async () => {
  const timeouts: unknown[] = [];
  class Server extends TCPServer {
    override serverClose(
      options: { timeout?: number | null } = {},
    ): Promise<ServerCloseReport> {
      timeouts.push(options.timeout);
      return super.serverClose(options);
    }
  }
  const signal = AbortSignal.abort();
  {
    await using _server = new Server(LOOPBACK, EchoLine);
  }
  await serve(new Server(LOOPBACK, EchoLine), { signal });
  await serve(new Server(LOOPBACK, EchoLine, { closeTimeout: 3 }), { signal });
  await serve(new Server(LOOPBACK, EchoLine), { signal, timeout: 4 });
  await serve(new Server(LOOPBACK, EchoLine), { signal, timeout: null });
  {
    await using _server = new Server(LOOPBACK, EchoLine, {
      closeTimeout: null,
    });
  }
  assertEquals(timeouts, [10, 10, 3, 4, null, null]);
  for (const closeTimeout of [-1, NaN]) {
    const make = async () =>
      await new Server(LOOPBACK, EchoLine, { closeTimeout });
    await assertRejects(make, RangeError, `got ${closeTimeout}`);
  }
});

/** Makes the silence of a second as short as it can be. */
function hurry(): Disposable {
  const original = globalThis.setTimeout;
  const hurried = (callback: () => void, ms?: number) =>
    original(callback, ms === 1000 ? 0 : ms);
  globalThis.setTimeout = hurried as typeof setTimeout;
  return { [Symbol.dispose]: () => void (globalThis.setTimeout = original) };
}

each("handleSlowClose() says once what a close waits for", async (kind) => {
  const { began, Stuck } = stuck(kind.Handler);
  const server = new kind.Server(kind.address(), Stuck, kind.options);
  server.serveForever();
  using client = await connectTo(server);
  await client.sendall(bytes("x"));
  await began.wait();
  using stderr = new Stderr();
  let closing: Promise<unknown>;
  {
    using _clock = hurry();
    closing = server.serverClose({ timeout: 1000 });
    await until(() => stderr.texts.length > 0);
  }
  await within(server.serverClose({ timeout: 0 }));
  await within(closing);
  assertEquals(stderr.texts.length, 1);
  const [line] = stderr.texts;
  assertStringIncludes(line, "1 request has not ended yet");
  assertMatch(line, /cut off in (9\d\d|1000) s/);
});

Deno.test("handleSlowClose() is not called by a close that ends soon, and may throw", async () => {
  let calls = 0;
  class Server extends AsyncTCPServer {
    override handleSlowClose(clients: string[], seconds: number | null) {
      calls++;
      assertEquals(clients, ["127.0.0.1"], "clients");
      assertEquals(seconds, null, "seconds");
      throw new Error("a bug");
    }
  }
  const release = new Event();
  const began = new Event();
  class Waiting extends StreamRequestHandler {
    override async handle() {
      began.set();
      await release.wait();
    }
  }
  await new Server(LOOPBACK, Waiting).serverClose();
  assertEquals(calls, 0);
  const server = new Server(LOOPBACK, Waiting);
  const served = server.serveForever();
  using _client = await connectTo(server);
  await began.wait();
  using stderr = new Stderr();
  using _clock = hurry();
  const closing = server.serverClose();
  await until(() => stderr.texts.length > 0);
  release.set();
  assertEquals(await within(closing), { idle: 0, finished: 1, forced: 0 });
  await within(served);
  assertEquals(calls, 1);
  assertStringIncludes(stderr.texts[0], "Error: a bug");
});

Deno.test("handleSlowClose() of a program in JavaScript may return any value", async () => {
  const { began, Stuck } = stuck(StreamRequestHandler);
  const server = new AsyncTCPServer(LOOPBACK, Stuck);
  const calls: unknown[] = [];
  server.handleSlowClose = (...call) => calls.push(call) as unknown as void;
  const served = server.serveForever();
  using _client = await connectTo(server);
  await began.wait();
  using _clock = hurry();
  const closing = server.serverClose({ timeout: 1000 });
  await until(() => calls.length > 0);
  await within(server.serverClose({ timeout: 0 }));
  await within(closing);
  await within(served);
  assertEquals(calls.length, 1);
});

Deno.test("handleSlowClose() names some clients, and the limit", async () => {
  await using server = new TCPServer(LOOPBACK, EchoLine);
  using stderr = new Stderr();
  await server.handleSlowClose(["", "10.0.0.1"], null);
  await server.handleSlowClose(Array.from("abcdefg"), 2.2);
  const closing = `Closing the server on ${server.serverAddress.join(":")}: `;
  assertEquals(stderr.texts, [
    `${closing}2 requests have not ended yet (from 10.0.0.1); there is no time limit. A handler should stop when this.signal aborts.`,
    `${closing}7 requests have not ended yet (from a, b, c, d, e and others); they are cut off in 3 s. A handler should stop when this.signal aborts.`,
  ]);
});

const PLACES = [
  "handle",
  "handleError",
  "verifyRequest",
  "shutdownRequest",
] as const;

for (const place of PLACES) {
  each(`serverClose() can be awaited in ${place}()`, async (kind) => {
    const reports: unknown[] = [];
    const close = async (server: AnyServer) => {
      reports.push(await within(server.serverClose()));
    };
    class Handler extends kind.Handler {
      override async handle() {
        if (place === "handleError") throw new Error("a bug");
        await Promise.resolve();
        if (place === "handle") await close(server);
      }
    }
    class Server extends kind.Server {
      override async verifyRequest() {
        if (place === "verifyRequest") await close(this);
        return true;
      }
      override async handleError() {
        if (place === "handleError") await close(this);
      }
      override async shutdownRequest(request: unknown) {
        if (place === "shutdownRequest") await close(this);
        await super.shutdownRequest(request);
      }
    }
    const server = new Server(kind.address(), Handler, kind.options);
    const served = server.serveForever();
    using client = await connectTo(server);
    await client.sendall(bytes("x"));
    await within(served);
    await until(() => reports.length === 1);
    assertEquals(reports, [{ idle: 0, finished: 0, forced: 0 }]);
    await within(server.serverClose());
    assertEquals(server.fileno(), -1);
    assertEquals(server.status.active, 0);
  });
}

each(
  "serverClose() can be awaited in handle() though select() has begun to wait",
  async (kind) => {
    const closed = new Event();
    class Handler extends kind.Handler {
      override async handle() {
        await Promise.resolve();
        await within(server.serverClose());
        closed.set();
      }
    }
    const server = new kind.Server(kind.address(), Handler, kind.options);
    assertEquals(await select([server], [], [], 0.01), [[], [], []]);
    const served = server.serveForever();
    using client = await connectTo(server);
    await client.sendall(bytes("x"));
    await closed.wait();
    await within(served);
  },
);

for (const Server of [ThreadingTCPServer, ForkingTCPServer]) {
  for (const place of ["handleError", "shutdownRequest"] as const) {
    Deno.test({
      name:
        `${Server.name}.serverClose() can be awaited in ${place}(), and lets others end`,
      ignore: !mayRun,
      async fn() {
        let report: unknown;
        class Closing extends (Server as new (
          ...args: ConstructorParameters<typeof Server>
        ) => TCPServer) {
          override async handleError() {
            if (place === "handleError") {
              report = await within(this.serverClose());
            }
          }
          override async shutdownRequest(request: Socket) {
            if (place === "shutdownRequest") {
              report ??= await within(this.serverClose());
            }
            await super.shutdownRequest(request);
          }
        }
        const { Odd } = await import("../testdata/odd_handlers.ts");
        const server = new Closing(LOOPBACK, Odd);
        const served = server.serveForever();
        using other = await connectTo(server);
        await until(() => server.status.active === 1);
        assertEquals(await ask(server, "a symbol\n"), "");
        await until(() => report !== undefined);
        assertEquals(report, { idle: 0, finished: 0, forced: 0 });
        await other.sendall(bytes("hello\n"));
        assertEquals(text(await other.recv(100)), "hello\n");
        await within(served);
        await within(server.serverClose());
      },
    });
  }
}

Deno.test("AsyncUDPServer.serverClose() awaited in a handler lets the others answer", async () => {
  const kind = KINDS.find(({ name }) => name === "AsyncUDPServer")!;
  const release = new Event();
  const began = new Event();
  class Handler extends DatagramRequestHandler {
    override async handle() {
      if (text(this.packet) === "close") {
        await within((this.server as unknown as AnyServer).serverClose());
        return release.set();
      }
      began.set();
      await release.wait();
      await this.wfile.write("done");
    }
  }
  const server = new kind.Server(
    LOOPBACK,
    Handler as RequestHandlerConstructor,
  );
  const served = server.serveForever();
  const answer = ask(server, "wait");
  await began.wait();
  using client = await connectTo(server);
  await client.sendall(bytes("close"));
  assertEquals(await answer, "done");
  await within(served);
  await until(() => server.fileno() === -1);
});

Deno.test("serverClose() of another server is waited for in a handler", async () => {
  const began = new Event();
  const release = new Event();
  class Waiting extends StreamRequestHandler {
    override async handle() {
      began.set();
      await release.wait();
    }
  }
  const other = new AsyncTCPServer(LOOPBACK, Waiting);
  other.serveForever();
  using _client = await connectTo(other);
  await began.wait();
  class Closing extends StreamRequestHandler {
    override async handle() {
      const closing = other.serverClose();
      release.set();
      const { finished } = await closing;
      await this.wfile.write(`${finished}`);
    }
  }
  await using server = new TCPServer(LOOPBACK, Closing);
  const handled = server.handleRequest();
  assertEquals(await ask(server, ""), "1");
  await handled;
});

for (const Server of [TCPServer, AsyncTCPServer]) {
  Deno.test(`${Server.name}.serverClose() counts no request as finished that began later and was cut off`, async () => {
    const getting = new Event();
    const release = new Event();
    const stalled = new Event();
    const requests: Socket[] = [];
    class Slow extends Server {
      override async getRequest(): Promise<[Socket, InetAddress]> {
        const got = await super.getRequest();
        getting.set();
        await release.wait();
        return got;
      }
      override shutdownRequest(request: Socket): Promise<void> {
        requests.push(request);
        stalled.set();
        return new Promise(() => {});
      }
    }
    const server = new Slow(LOOPBACK, EchoLine);
    const served = server.serveForever();
    using _client = await connectTo(server);
    await getting.wait();
    const closing = server.serverClose();
    release.set();
    const forced = Server === TCPServer ? 1 : 0;
    const all = [closing, server.serverClose({ timeout: 0.05 })];
    await stalled.wait();
    const reports = await within(Promise.all(all));
    assert(reports.every(({ finished }) => finished === 0));
    assert(reports.every((report) => report.forced <= forced));
    await within(served);
    for (const request of requests) request.abort();
  });
}

Deno.test("AsyncTCPServer.serverClose() tells each of two that wait what was forced", async () => {
  const { began, Stuck } = stuck(StreamRequestHandler);
  const server = new AsyncTCPServer(LOOPBACK, Stuck);
  const served = server.serveForever();
  using _client = await connectTo(server);
  await began.wait();
  const patient = server.serverClose();
  const report = { idle: 0, finished: 0, forced: 1 };
  assertEquals(await within(server.serverClose({ timeout: 0 })), report);
  assertEquals(await within(patient), report);
  await within(served);
});

each("says that it is closed, or does not listen", async (kind) => {
  const server = new kind.Server(kind.address(), kind.Echo, kind.options);
  await server.serverClose();
  for (const run of ["serveForever", "handleRequest"] as const) {
    const error = await within(
      assertRejects(() => server[run](), OSError, "the server is closed"),
    );
    assertEquals(error.code, "EBADF");
  }
  const options = { ...kind.options, bindAndActivate: false };
  const bare = new kind.Server(kind.address(), kind.Echo, options);
  if (bare.socketType === 1) {
    for (const run of ["serveForever", "handleRequest"] as const) {
      await within(
        assertRejects(() => bare[run](), OSError, "call serverBind() and"),
      );
    }
  }
  await bare.serverClose();
});

/** The servers of a program, by the flags that it needs. */
const PROGRAMS: [flags: string[], servers: string[]][] = [
  [[], [
    "TCPServer",
    "UDPServer",
    "UnixStreamServer",
    "AsyncTCPServer",
    "ThreadingTCPServer",
    "ForkingTCPServer",
  ]],
  [["--unstable-net"], ["UDPServer", "AsyncUDPServer"]],
];

for (const [flags, servers] of PROGRAMS) {
  Deno.test({
    name: `a program ends that calls no serverClose() ${flags.join()}`,
    ignore: Deno.build.os === "windows" || !mayRun || !unstableNet,
    async fn() {
      const script = new URL("../testdata/ends.ts", import.meta.url).pathname;
      await using child = boundedCommand(Deno.execPath(), {
        // deno-fmt-ignore
        args: ["run", "-A", "--quiet", "--no-check", ...flags, script, ...servers],
        stdout: "piped",
      }).spawn();
      const { code, stdout } = await within(child.output(), 60_000);
      const hows = ["serveForever", "handleRequest", "handleTimeout"];
      const ended = servers.flatMap((name) =>
        hows.map((how) => `${name} ${how} 1 end\n`)
      );
      assertEquals(text(stdout), ended.join(""), "stdout");
      assertEquals(code, 0, "code");
    },
  });
}
