/** A server whose `getRequest` fails: it continues, counts and reports, and ends only with its socket. */

import {
  AcceptFailures,
  systemError,
} from "../../internal/server/accept_errors.ts";
import type { RequestHandlerConstructor, ServerOptions } from "../../server.ts";
import { TCPServer, UDPServer } from "../../server.ts";
import { ForkingTCPServer, ThreadingTCPServer } from "../../mixins.ts";
import { type InetAddress, OSError, type Socket } from "../../socket.ts";
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { bytes } from "../helpers/bytes.ts";
import { ask, connectTo } from "../helpers/clients.ts";
import { Stderr } from "../helpers/reports.ts";
import {
  type AnyServer,
  type AnyServerClass,
  EchoLine,
  type Got,
  type Kind,
  KINDS,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { until, within } from "../helpers/within.ts";
import { Lines } from "../testdata/handlers.ts";

/** The errors that cost one client if an override of `getRequest` throws them. */
const PASSED: (() => unknown)[] = [
  () => new OSError("no code"),
  ..."EINVAL EIO ENONET ENETRESET WSAENETRESET ECONNABORTED EPROTO EBADF"
    .split(" ").map((code) => () => new OSError(code, { code })),
  () => new Deno.errors.InvalidData("received corrupt message"),
  () => new Deno.errors.UnexpectedEof("unexpected end of file"),
  () => new Deno.errors.NotConnected("gone"),
  () => Object.assign(new Error("tls"), { code: "ERR_SSL_WRONG_VERSION" }),
  () => new DOMException("Signal timed out.", "TimeoutError"),
];

/** A server whose first calls of `getRequest` fail. */
function failing(
  Server: AnyServerClass,
  errors: unknown[],
  how: "throws" | "rejects",
): AnyServerClass & { told: unknown[] } {
  return class extends (Server as unknown as new (
    ...args: ConstructorParameters<AnyServerClass>
  ) => AnyServer) {
    static told: unknown[] = [];
    override getRequest(): Got | Promise<Got> {
      if (errors.length === 0) return super.getRequest();
      if (how === "rejects") return Promise.reject(errors.shift());
      throw errors.shift();
    }
    override handleAcceptError(error: unknown) {
      (this.constructor as unknown as { told: unknown[] }).told.push(error);
    }
  } as unknown as AnyServerClass & { told: unknown[] };
}

/** Defines a test for each kind of server. */
function each(behaviour: string, test: (kind: Kind) => Promise<void>): void {
  for (const kind of KINDS) {
    const { name, ignore } = kind;
    Deno.test({ name: `${name} ${behaviour}`, ignore, fn: () => test(kind) });
  }
}

for (const how of ["throws", "rejects"] as const) {
  each(
    `goes on when getRequest() ${how} an error of the system`,
    async (kind) => {
      const errors = PASSED.map((make) => make());
      const Failing = failing(kind.Server, [...errors], how);
      const server = new Failing(kind.address(), kind.Echo, kind.options);
      await serving(server, async () => {
        assertEquals(await ask(server, "hello\n"), "hello\n");
        assertEquals(server.status.transientErrors, errors.length);
      });
      assertEquals(Failing.told, errors);
    },
  );
}

each("handleRequest() passes over an error of the system", async (kind) => {
  const Failing = failing(kind.Server, [new OSError("no code")], "throws");
  const server = new Failing(kind.address(), kind.Echo, kind.options);
  await using _server = server;
  const answer = ask(server, "hello\n");
  await within(server.handleRequest());
  assertEquals(server.status.transientErrors, 1);
  await within(server.handleRequest());
  assertEquals(await answer, "hello\n");
});

each(
  "serveForever() and handleRequest() end with a bug in getRequest()",
  async (kind) => {
    for (const run of ["serveForever", "handleRequest"] as const) {
      const Failing = failing(kind.Server, [new TypeError("a bug")], "rejects");
      await using server = new Failing(kind.address(), kind.Echo, kind.options);
      const ended = assertRejects(() => server[run](), TypeError, "a bug");
      using client = await connectTo(server);
      await client.sendall(bytes("hello\n"));
      await within(ended);
      assertEquals(Failing.told, []);
    }
  },
);

for (const Server of [ThreadingTCPServer, ForkingTCPServer]) {
  Deno.test({
    name:
      `${Server.name} goes on when getRequest() throws an error of the system`,
    ignore: !granted("read", "run", "env"),
    async fn() {
      const errors = PASSED.map((make) => make());
      const Failing = failing(
        Server as unknown as AnyServerClass,
        errors,
        "rejects",
      );
      await using server = new Failing(
        LOOPBACK,
        Lines as unknown as RequestHandlerConstructor,
      );
      const served = server.serveForever();
      assertEquals(await ask(server, "upper hello\nquit\n"), "HELLO\n");
      assertEquals(server.status.transientErrors, PASSED.length);
      await server.shutdown();
      await within(served);
    },
  });
}

Deno.test("AcceptFailures.judge() recognizes the errors that end a server", () => {
  const judge = (error: unknown, listens = true) =>
    new AcceptFailures().judge(error, listens);
  for (const code of ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ENOSR"]) {
    assertEquals(judge(new OSError(code, { code })), "resource", code);
  }
  for (const code of ["EBADF", "EINVAL", "ENOTSOCK"]) {
    assertEquals(judge(new OSError(code, { code })), "invalid", code);
  }
  for (const error of [new TypeError("a bug"), new Error("a bug"), "text"]) {
    assertEquals(judge(error), "fatal");
  }
  assertEquals(judge(new OSError("no code")), "transient");
  assertEquals(judge(new OSError("no code"), false), "fatal");
});

Deno.test("AcceptFailures.judge() counts only consecutive invalid errors", () => {
  const failures = new AcceptFailures();
  const invalid = new OSError("EINVAL", { code: "EINVAL" });
  for (let i = 0; i < 9; i++) failures.judge(invalid, true);
  failures.reset();
  for (let i = 0; i < 9; i++) {
    assertEquals(failures.judge(invalid, true), "invalid");
  }
  assertEquals(failures.judge(invalid, true), "fatal");
});

Deno.test("systemError() returns errors of Deno with the code of their class", () => {
  const code = (error: unknown) => systemError(error)?.code;
  assertEquals(code(new Deno.errors.BadResource("closed")), "EBADF");
  assertEquals(
    code(Object.assign(new Error("x"), { code: "EMFILE" })),
    "EMFILE",
  );
  assertEquals(systemError(new TypeError("a bug")), undefined);
  assertEquals(
    systemError(Object.assign(new TypeError("a bug"), { code: "ERR_X" })),
    undefined,
  );
});

const withCode = (code: string) => Object.assign(new Error(code), { code });

/** Returns the output of a server that meets failures between requests. */
async function printed(
  plan: string[],
  Server: AnyServerClass,
  address: InetAddress,
  options: ServerOptions = {},
): Promise<string[]> {
  let at = 0;
  class Planned extends (Server as unknown as typeof TCPServer) {
    override async getRequest(): Promise<[Socket, InetAddress]> {
      const next = plan[at++];
      if (next !== undefined && next !== "ok") throw withCode(next);
      return await super.getRequest();
    }
  }
  using stderr = new Stderr();
  const server = new Planned(address, EchoLine, options);
  await serving(server, async () => {
    while (at < plan.length) {
      assertEquals(await ask(server, "hello\n"), "hello\n");
    }
  });
  return stderr.texts;
}

Deno.test("TCPServer.handleShortage() prints one line for each shortage", async () => {
  const ok = (count: number) => Array.from({ length: count }, () => "ok");
  const Server = TCPServer as unknown as AnyServerClass;
  const one = await printed(
    ["EMFILE", "EMFILE", "ENFILE", ...ok(9), "EMFILE", ...ok(2)],
    Server,
    LOOPBACK,
  );
  assertEquals(one.length, 1);
  assert(one[0].includes("(EMFILE)"), one[0]);
  assertEquals(one[0].split("\n").length, 1);
  const two = ["EMFILE", ...ok(10), "ENFILE", "ok"];
  assertEquals((await printed(two, Server, LOOPBACK)).length, 2);
  assertEquals((await printed(["EIO", "ok"], Server, LOOPBACK)).length, 0);
});

Deno.test("UDPServer.handleShortage() is called for each episode, and for no other error", async () => {
  const told: unknown[] = [];
  const errors = ["EMFILE", "EIO", "ENOMEM"].map(withCode);
  class Server extends UDPServer {
    override getRequest() {
      const error = errors.shift();
      if (error !== undefined) throw error;
      return super.getRequest();
    }
    override handleShortage(error: OSError) {
      told.push(error.code);
    }
  }
  const Echo = KINDS.find(({ name }) => name === "UDPServer")!.Echo;
  await serving(new Server(LOOPBACK, Echo), async (server) => {
    assertEquals(await ask(server, "hello"), "hello");
    assertEquals(server.status.resourceErrors, 2);
  });
  assertEquals(told, ["EMFILE"]);
});

Deno.test("TCPServer.serveForever() lets the event loop turn if getRequest() always fails", async () => {
  class Failing extends TCPServer {
    override getRequest(): never {
      throw new OSError("no code");
    }
  }
  const server = new Failing(LOOPBACK, EchoLine);
  const served = server.serveForever();
  using _client = await connectTo(server);
  await until(() => server.status.transientErrors > 0);
  await within(server.serverClose());
  await within(served);
});
