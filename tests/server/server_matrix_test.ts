/** The checks of CPython's test_socketserver.py, on every server. */

import type { Address } from "../../socket.ts";
import { OSError, SOCK_DGRAM } from "../../socket.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "../deps.ts";
import { ask, tell } from "../helpers/clients.ts";
import { assertNoneLeft, descriptors } from "../helpers/descriptors.ts";
import { Stderr } from "../helpers/reports.ts";
import {
  type AnyServer,
  type Kind,
  KINDS,
  serving,
} from "../helpers/servers.ts";
import { Event, until, within } from "../helpers/within.ts";

/** Defines a test for each kind of server. */
function each(behaviour: string, test: (kind: Kind) => Promise<void>): void {
  for (const kind of KINDS) {
    const { name, ignore } = kind;
    Deno.test({ name: `${name} ${behaviour}`, ignore, fn: () => test(kind) });
  }
}

/** Makes a server of a kind, which echoes. */
function make({ Server, Echo, address, options }: Kind): AnyServer {
  return new Server(address(), Echo, options);
}

each("answers several clients", async (kind) => {
  await serving(make(kind), async (server) => {
    for (let i = 0; i < 3; i++) {
      assertEquals(await ask(server, `hello ${i}\n`), `hello ${i}\n`);
    }
    const names = Array.from({ length: 20 }, (_, i) => `client ${i}\n`);
    const answers = names.map((name) => ask(server, name));
    assertEquals(await Promise.all(answers), names);
    assertEquals(server.status.accepted, 23);
  });
});

each("has as serverAddress what getsockname() says", async (kind) => {
  await using server = make(kind);
  assertEquals(server.serverAddress, server.socket.getsockname());
});

each("stops when shutdown() follows serveForever() at once", async (kind) => {
  const servers = Array.from({ length: 20 }, () => make(kind));
  const ends = servers.map((server) => {
    const served = server.serveForever();
    return [served, server.shutdown()];
  });
  await within(Promise.all(ends.flat()));
  await Promise.all(servers.map((server) => server.serverClose()));
});

each("closes before any request", async (kind) => {
  const server = make(kind);
  assertEquals(await server.serverClose(), { idle: 0, finished: 0, forced: 0 });
  assertEquals(server.fileno(), -1);
  assertEquals(server.socket.fileno(), -1);
  await server.serverClose(); // twice is fine
});

each("is closed by `await using`", async (kind) => {
  let kept: AnyServer;
  {
    await using server = make(kind);
    kept = server;
    assert(kept.fileno() > 0);
  }
  assertEquals(kept.fileno(), -1);
});

each("leaks nothing when binding fails a hundred times", async (kind) => {
  await using server = make(kind);
  const again = { ...kind, address: () => server.serverAddress };
  assertThrows(() => make(again), OSError, "EADDRINUSE");
  const before = descriptors();
  for (let i = 0; i < 100; i++) {
    assertThrows(() => make(again), OSError);
  }
  await assertNoneLeft(before);
});

each("leaks nothing when activating fails a hundred times", async (kind) => {
  let bound: Address = "";
  class Failing extends kind.Server {
    override serverActivate(): void {
      bound = this.serverAddress;
      throw new Error("not today");
    }
  }
  const before = descriptors();
  for (let i = 0; i < 100; i++) {
    assertThrows(
      () => new Failing(kind.address(), kind.Echo, kind.options),
      Error,
      "not today",
    );
  }
  await assertNoneLeft(before);
  if (typeof bound === "string") return; // the path of a Unix socket stays
  let server: AnyServer | undefined;
  await until(() => { // the runtime may need a turn of the event loop to close
    try {
      server = make({ ...kind, address: () => bound });
      return true;
    } catch {
      return false;
    }
  });
  await server!.serverClose();
});

each("hands errors to handleError() and goes on", async (kind) => {
  const handled: unknown[] = [];
  class Server extends kind.Server {
    override handleError(_request: unknown, _from: Address, error: unknown) {
      handled.push(error);
    }
  }
  const failure = new Error("a bug");
  class Handler extends kind.Echo {
    override async handle() {
      await super.handle();
      if (handled.length < 2) throw failure;
    }
  }
  const server = new Server(kind.address(), Handler, kind.options);
  await serving(server, async () => {
    await tell(server, "one\n");
    await tell(server, "two\n");
    assertEquals(await ask(server, "three\n"), "three\n");
  });
  assertEquals(handled.length, 2);
  assertStrictEquals(handled[0], failure);
  assertEquals(server.status.active, 0);
});

/** Whether requests run as tasks: then what the hooks throw at their end is printed. */
const isAsync = ({ name }: Kind) => name.startsWith("Async");

each(
  "goes on, or without a mix-in ends serveForever(), with what handleError() throws",
  async (kind) => {
    const ended = new Event();
    class Server extends kind.Server {
      override handleError(_request: unknown, _from: Address, error: unknown) {
        throw error;
      }
      override async shutdownRequest(request: unknown) {
        await super.shutdownRequest(request);
        ended.set();
      }
    }
    class Handler extends kind.Handler {
      override handle() {
        throw new Error("a bug");
      }
    }
    using stderr = new Stderr();
    await using server = new Server(kind.address(), Handler, kind.options);
    const served = server.serveForever();
    if (isAsync(kind)) {
      for (const _ of [1, 2]) await tell(server, "hello\n");
      await until(() =>
        server.status.active === 0 && stderr.texts.length === 2
      );
      assertStringIncludes(stderr.texts[1], "Error: a bug");
    } else {
      const rejected = assertRejects(() => served, Error, "a bug");
      await tell(server, "hello\n");
      await within(rejected);
    }
    await ended.wait(); // the request is not left open
  },
);

each("shuts down a request that verifyRequest() rejects", async (kind) => {
  const shut: unknown[] = [];
  let rejected: unknown;
  class Server extends kind.Server {
    override verifyRequest(request: unknown) {
      rejected ??= request;
      return request !== rejected;
    }
    override async shutdownRequest(request: unknown) {
      shut.push(request);
      await super.shutdownRequest(request);
    }
  }
  const server = new Server(kind.address(), kind.Echo, kind.options);
  await serving(server, async () => {
    await tell(server, "one\n");
    assertEquals(await ask(server, "two\n"), "two\n");
  });
  assertStrictEquals(shut[0], rejected);
  assertEquals(shut.length, 2);
  assertEquals(server.status.rejected, 1);
});

each("serves again after shutdown() and loses no request", async (kind) => {
  await using server = make(kind);
  for (let round = 0; round < 3; round++) {
    const served = server.serveForever();
    assertEquals(await ask(server, "served\n"), "served\n");
    const answer = ask(server, "pending\n"); // may come before the stop, or after
    await within(server.shutdown());
    await within(served);
    const again = server.serveForever();
    assertEquals(await within(answer), "pending\n");
    await within(server.shutdown());
    await within(again);
  }
});

each("frees its address as soon as serverClose() resolves", async (kind) => {
  const first = make(kind);
  const { serverAddress } = first;
  await first.serverClose();
  for (let i = 0; i < 50; i++) {
    if (typeof serverAddress === "string" && first.socketType === SOCK_DGRAM) {
      Deno.removeSync(serverAddress); // the path stays, as in Python
    }
    const server = make({ ...kind, address: () => serverAddress });
    const served = server.serveForever();
    if (i % 10 === 0) assertEquals(await ask(server, "hi\n"), "hi\n");
    await within(server.serverClose());
    await within(served);
  }
});

each("handles one request with handleRequest()", async (kind) => {
  await using server = make(kind);
  const answer = ask(server, "one\n");
  await within(server.handleRequest());
  assertEquals(await within(answer), "one\n");
});

each("calls handleTimeout() when no request comes", async (kind) => {
  let timeouts = 0;
  class Server extends kind.Server {
    override handleTimeout() {
      timeouts++;
    }
  }
  const options = { ...kind.options, timeout: 0.01 };
  await using server = new Server(kind.address(), kind.Echo, options);
  await within(server.handleRequest());
  await within(server.handleRequest());
  assertEquals(timeouts, 2);
  const answer = ask(server, "late\n");
  server.timeout = null;
  await within(server.handleRequest());
  assertEquals(await within(answer), "late\n");
  assertEquals(timeouts, 2);
});
