/** Servers whose `serverBind` or `serverActivate` returns a promise. */

import * as module from "../../mod.ts";
import {
  type Address,
  AsyncTCPServer,
  createConnection,
  OSError,
  select,
  serve,
  Socket,
  TCPServer,
} from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "../deps.ts";
import {
  granted,
  haveUnix,
  mayFork,
  mayRead,
  unstableNet,
} from "../helpers/allowed.ts";
import { ask } from "../helpers/clients.ts";
import {
  type AnyServer,
  type AnyServerClass,
  EchoLine,
  LOOPBACK,
} from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { boundedCommand, within } from "../helpers/within.ts";
import { Datagram, Echo } from "../testdata/handlers.ts";

/** Resolved by a test when the server may bind. */
type Gate = PromiseWithResolvers<void>;

/** A class of servers that bind and activate when the gates open. */
function late(Server: AnyServerClass, bind: Gate, activate: Gate) {
  return class extends Server {
    steps: string[] = [];
    override async serverBind() {
      await bind.promise;
      await super.serverBind();
      this.steps.push("bound");
    }
    override async serverActivate() {
      await activate.promise;
      await super.serverActivate();
      this.steps.push("activated");
    }
  };
}

/** Such a server of echoes over TCP. */
function lateServer(Server: unknown = AsyncTCPServer) {
  const bind: Gate = Promise.withResolvers();
  const activate: Gate = Promise.withResolvers();
  activate.resolve();
  const Late = late(Server as AnyServerClass, bind, activate);
  return { server: new Late(LOOPBACK, EchoLine), bind };
}

/** Waits until all reactions so far have run, and those of the event loop's next turn. */
const turn = () => new Promise<void>((resolve) => setTimeout(resolve));

async function answers(server: AnyServer): Promise<void> {
  using client = new Socket(server.addressFamily, server.socketType);
  if (
    server.addressFamily === module.AF_UNIX &&
    client.type !== module.SOCK_STREAM
  ) {
    client.bind(newPath());
  }
  await client.connect(server.serverAddress);
  await client.sendall(new TextEncoder().encode("hello"));
  const answer = await within(client.recv(100));
  assertEquals(new TextDecoder().decode(answer).toLowerCase(), "hello");
}

const KINDS: [name: string, address: () => Address, unable: boolean][] = [
  ["TCPServer", () => LOOPBACK, false],
  ["UDPServer", () => LOOPBACK, false],
  ["UnixStreamServer", newPath, !haveUnix],
  ["UnixDatagramServer", newPath, !haveUnix || !unstableNet],
];
const WAYS: [prefix: string, unable: boolean][] = [
  ["", false],
  ["Async", false],
  ["Threading", !mayRead],
  ["Forking", !mayFork],
];

for (const [prefix, unable] of WAYS) {
  for (const [kind, address, missing] of KINDS) {
    const name = `${prefix}${kind}`;
    Deno.test({
      name: `${name} binds and activates later, and serveForever() waits`,
      ignore: unable || missing,
      async fn() {
        const bind: Gate = Promise.withResolvers();
        const activate: Gate = Promise.withResolvers();
        const Server =
          (module as unknown as Record<string, AnyServerClass>)[name];
        const Handler = kind.includes("TCP") || kind.includes("Stream")
          ? Echo
          : Datagram;
        const to = address();
        const server = new (late(Server, bind, activate))(to, Handler);
        assertEquals(server.serverAddress, to);
        const served = server.serveForever();
        await turn();
        assertEquals(server.steps ?? [], []);
        bind.resolve();
        await turn();
        assertEquals(server.steps, ["bound"]);
        activate.resolve();
        if (prefix === "" || prefix === "Async") {
          while (server.steps.length < 2) await turn();
          assertEquals(server.serverAddress, server.socket.getsockname());
          await answers(server);
        }
        await within(server.shutdown());
        await within(served);
        await within(server.serverClose());
        assertEquals(server.fileno(), -1);
      },
    });
  }
}

const boom = () =>
  new OSError("no such host", { code: "ENOENT", syscall: "bind" });

Deno.test("a serverBind() that rejects closes the socket, and all calls that wait throw its error", async () => {
  const { server, bind } = lateServer();
  const error = boom();
  const served = server.serveForever();
  const handled = server.handleRequest();
  const selected = select([server], [], []);
  bind.reject(error);
  for (const waiting of [served, handled, selected] as Promise<unknown>[]) {
    assertStrictEquals(await assertRejects(() => within(waiting)), error);
  }
  assertEquals(server.fileno(), -1);
  assertStrictEquals(await assertRejects(() => server.serveForever()), error);
  assertEquals(await server.serverClose(), { idle: 0, finished: 0, forced: 0 });
});

Deno.test("the error of a serverBind() is not unhandled if the program waits for it later", async () => {
  const { server, bind } = lateServer(TCPServer);
  const error = boom();
  bind.reject(error);
  for (let i = 0; i < 3; i++) await turn();
  assertStrictEquals(await assertRejects(() => server.serveForever()), error);
  await server.serverClose();
});

Deno.test("an error of serverActivate() closes what serverBind() has opened", async () => {
  const error = boom();
  class Failing extends AsyncTCPServer {
    override async serverBind() {
      await undefined;
      await super.serverBind();
    }
    override async serverActivate() {
      await turn();
      throw error;
    }
  }
  await using server = new Failing(LOOPBACK, EchoLine);
  assertStrictEquals(await assertRejects(() => serve(server)), error);
  const { code } = await assertRejects(
    () => createConnection(server.serverAddress),
    OSError,
  );
  assertEquals(code, "ECONNREFUSED");
});

Deno.test("serve() ends its other servers if one cannot be bound", async () => {
  const { server, bind } = lateServer();
  const other = new AsyncTCPServer(LOOPBACK, EchoLine);
  const waiting = lateServer(TCPServer);
  const error = boom();
  const served = serve([other, server, waiting.server], { signals: [] });
  await turn();
  bind.reject(error);
  await turn();
  waiting.bind.resolve(); // its close waits for this
  assertStrictEquals(await assertRejects(() => within(served)), error);
  assertEquals(other.fileno(), -1, "otherFileno");
  assertEquals(waiting.server.fileno(), -1, "serverFileno");
});

Deno.test("serverClose() throws an error of the start that nobody got, and once only", async () => {
  const { server, bind } = lateServer();
  const error = boom();
  bind.reject(error);
  await turn();
  const close = async () => {
    await using _ = server;
  };
  assertStrictEquals(await assertRejects(close), error);
  await close();
});

Deno.test("shutdown(), and a signal, end serveForever() while the server is not bound", async () => {
  for (const how of ["shutdown", "signal", "shutdown first"]) {
    const { server, bind } = lateServer();
    const abort = new AbortController();
    if (how === "shutdown first") await server.shutdown();
    const served = server.serveForever({ signal: abort.signal });
    await turn();
    if (how === "shutdown") await within(server.shutdown());
    if (how === "signal") abort.abort();
    await within(served);
    const closed = server.serverClose();
    await turn();
    bind.resolve();
    await within(closed);
    assertEquals(server.fileno(), -1, how);
  }
});

Deno.test("serverClose() closes what a serverBind() opens after it", async () => {
  class Replacing extends TCPServer {
    readonly opened = Promise.withResolvers<Socket>();
    override async serverBind() {
      await gate.promise;
      const socket = this.socket = new Socket() as typeof this.socket;
      socket.bind(LOOPBACK);
      this.opened.resolve(socket);
    }
  }
  const gate = Promise.withResolvers<void>();
  const server = new Replacing(LOOPBACK, EchoLine);
  const closed = server.serverClose({ timeout: 20 });
  await turn();
  gate.resolve();
  const socket = await within(server.opened.promise);
  await within(closed);
  assertEquals(socket.fileno(), -1);
});

Deno.test("serverClose() waits for a serverBind() no longer than its timeout", async () => {
  const { server, bind } = lateServer();
  const report = await within(server.serverClose({ timeout: 0.01 }));
  assertEquals(report, { idle: 0, finished: 0, forced: 0 });
  bind.reject(boom()); // too late to matter
  await turn();
});

Deno.test("select() waits for a server that is not bound, within its timeout", async () => {
  const { server, bind } = lateServer();
  assertEquals(await select([server], [], [], 0.01), [[], [], []]);
  const abort = new AbortController();
  const aborted = select([server], [], [], null, { signal: abort.signal });
  abort.abort(new Error("enough"));
  await assertRejects(() => aborted, Error, "enough");
  const selected = select([server], [], []);
  bind.resolve();
  await turn();
  const asked = ask(server, "hello\n");
  assertEquals(await within(selected), [[server], [], []]);
  await server.handleRequest();
  assertEquals(await within(asked), "hello\n");
  await server.serverClose();
});

Deno.test("handleRequest() waits for a server that is not bound", async () => {
  const { server, bind } = lateServer(TCPServer);
  const handled = server.handleRequest();
  bind.resolve();
  while (server.steps.length < 2) await turn();
  assertEquals(await within(ask(server, "hello\n")), "hello\n");
  await within(handled);
  await server.serverClose();
});

Deno.test({
  name:
    "a server that could not be bound, and for which nobody waits, ends the program with the error",
  ignore: !granted("run", { name: "run", command: Deno.execPath() }) ||
    !mayRead,
  async fn() {
    const program = `
      import { StreamRequestHandler, TCPServer } from "${new URL(
      "../../mod.ts",
      import.meta.url,
    )}";
      class Failing extends TCPServer {
        async serverBind() {
          await undefined;
          throw new Error("no such host");
        }
      }
      class Handler extends StreamRequestHandler {
        handle() {}
      }
      new Failing(["127.0.0.1", 0], Handler);
      setTimeout(() => console.log("still there"), 20);`;
    const { code, stdout, stderr } = await boundedCommand(Deno.execPath(), {
      args: ["eval", "--no-check", program],
    }).output();
    const said = new TextDecoder().decode(stderr);
    assertEquals(new TextDecoder().decode(stdout), "still there\n");
    assert(said.includes("no such host"), said);
    assertEquals(code, 1);
  },
});
