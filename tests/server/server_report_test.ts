/** The reports of failures: no server ends by a value that was thrown, or by a stderr that cannot be written. */

import type { RequestHandlerConstructor } from "../../server.ts";
import {
  AsyncTCPServer,
  ForkingTCPServer,
  ThreadingTCPServer,
} from "../../mixins.ts";
import { TCPServer } from "../../server.ts";
import { type Address, OSError, type Socket } from "../../socket.ts";
import { assert, assertEquals, assertStringIncludes } from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { ask, connectTo } from "../helpers/clients.ts";
import { assertNoneLeft, descriptors } from "../helpers/descriptors.ts";
import { Stderr } from "../helpers/reports.ts";
import {
  type AnyServerClass,
  EchoLine,
  LOOPBACK,
  serving,
} from "../helpers/servers.ts";
import { boundedCommand, until, within } from "../helpers/within.ts";
import { ODD, Odd } from "../testdata/odd_handlers.ts";

const mayRun = granted("read", "run", "env");
const FROM: Address = ["127.0.0.1", 1];

/** The ways to run. */
const WAYS = [
  TCPServer,
  AsyncTCPServer,
  ThreadingTCPServer,
  ForkingTCPServer,
] as unknown as AnyServerClass[];

/** Whether a way needs more than the net. */
const elsewhere = ({ name }: { name: string }) => /^(Thread|Fork)/.test(name);

for (const Server of WAYS) {
  Deno.test({
    name:
      `${Server.name} goes on after whatever a handler throws, whether lost clients are reported or not`,
    ignore: elsewhere(Server) && !mayRun,
    async fn() {
      using stderr = new Stderr();
      const server = new Server(
        LOOPBACK,
        Odd as unknown as RequestHandlerConstructor,
      );
      await serving(server, async () => {
        for (server.reportLostClients of [true, false]) {
          for (const name of Object.keys(ODD)) {
            assertEquals(await ask(server, `${name}\n`), "", name);
          }
          assertEquals(await ask(server, "hello\n"), "hello\n");
        }
      });
      assertEquals(stderr.texts.length, 2 * Object.keys(ODD).length);
      for (const each of stderr.texts) {
        assertStringIncludes(each, "request from ('127.0.0.1', ");
      }
    },
  });
}

/** Returns the text that a server prints for an error; undefined if it prints none. */
async function printed(
  error: unknown,
  client: Address = FROM,
  reportLostClients = true,
): Promise<string | undefined> {
  await using server = new TCPServer(LOOPBACK, EchoLine, { reportLostClients });
  using stderr = new Stderr();
  await server.handleError(undefined as never, client as never, error);
  return stderr.texts[0];
}

Deno.test("BaseServer.handleError() shows what it can of anything", async () => {
  const shown = async (name: string) =>
    (await printed(ODD[name]()))!.split("\n")[2];
  assertStringIncludes(await shown("a name that throws"), "a getter");
  assertEquals(
    await shown("an inspect that throws"),
    "Uncaught value that cannot be shown: to show it throws something that cannot be shown either",
  );
  assertEquals(await shown("endless"), "(shown above)");
  assertEquals(await shown("a symbol"), "Uncaught value: Symbol(odd)");
  const odd = await printed("x", null as never);
  assertStringIncludes(odd!, "from Uncaught value: null");
});

Deno.test("BaseServer.handleError() writes addresses as Python does", async () => {
  const addresses: [Address, string][] = [
    [["127.0.0.1", 80], "('127.0.0.1', 80)"],
    [["::1", 80], "('::1', 80)"],
    ["", "''"],
    ["/tmp/it's", `"/tmp/it's"`],
    [`/tmp/"it's"`, `'/tmp/"it\\'s"'`],
    ["\0\n\x1b[31m\\", "'\\x00\\x0a\\x1b[31m\\\\'"],
  ];
  for (const [address, shown] of addresses) {
    const [, line] = (await printed("x", address))!.split("\n");
    const doing = "Exception occurred during processing of request from ";
    assertEquals(line, doing + shown);
  }
});

Deno.test("BaseServer.handleError() shows both errors of a SuppressedError", async () => {
  const [second, first] = [new Error("of finish"), new Error("of handle")];
  const text = await printed(new SuppressedError(second, first, "two"));
  const told = text!.split("\n").filter((line) => /^(Error|During)/.test(line));
  assertEquals(told, [
    "Error: of handle",
    "During handling of the above exception, another exception occurred:",
    "Error: of finish",
  ]);
});

Deno.test("BaseServer.handleError() takes an odd value for no lost client", async () => {
  const quiet = async (error: unknown) =>
    await printed(error, "", false) === undefined;
  for (const name of ["revoked", "guarded"]) {
    assertEquals(await quiet(ODD[name]()), false, name);
  }
  const lost = new OSError("gone", { code: "EPIPE" });
  const around = new SuppressedError(lost, lost, "two");
  assertEquals(await quiet(around), true, "two of a lost client");
  around.suppressed = around;
  assertEquals(await quiet(around), false, "one that contains itself");
});

for (const stderr of ["2>/dev/full", "2>&-"]) {
  Deno.test({
    name: `AsyncTCPServer goes on with ${stderr}`,
    ignore: Deno.build.os !== "linux" || !mayRun,
    async fn() {
      const script = new URL("../testdata/odd_handlers.ts", import.meta.url);
      const run = `exec "$0" run --no-prompt --allow-net "$1" ${stderr}`;
      const child = boundedCommand("sh", {
        args: ["-c", run, Deno.execPath(), script.pathname],
        env: { NO_COLOR: "1" },
      });
      const { code, stdout } = await within(child.output(), 60_000);
      assertEquals(code, 0, "code");
      assertEquals(text(stdout), "hello\n", "stdout");
    },
  });
}

/** The methods that may be overridden and then throw at the end of a request. */
const HOOKS = ["handleError", "shutdownRequest", "processRequestTask"] as const;

type Hook = typeof HOOKS[number];

/** A class whose hooks fail as `faults` says at the time; `verifyRequest` is always one of them. */
function failing(Server: AnyServerClass, hooks: readonly Hook[]) {
  const faults = new Map<string, "throws" | "rejects">();
  class Failing extends Server {}
  const { prototype } = Failing as unknown as {
    prototype: Record<string, (...args: unknown[]) => unknown>;
  };
  for (const hook of [...hooks, "verifyRequest"]) {
    const original = prototype[hook];
    prototype[hook] = function (...args) {
      const how = faults.get(hook);
      if (how === undefined) return original.apply(this, args);
      if (how === "rejects") return Promise.reject(new Error(hook));
      throw new Error(hook);
    };
  }
  return { faults, Failing };
}

type Failures = [Server: AnyServerClass, hooks: readonly Hook[]];

/** Each hook alone if that starts nothing, and all in one server if that starts a worker or a child. */
const FAILURES = [
  ...HOOKS.map((hook): Failures => [WAYS[1], [hook]]),
  ...WAYS.slice(2).map((Server): Failures => [Server, HOOKS]),
];

for (const [Server, hooks] of FAILURES) {
  Deno.test({
    name:
      `${Server.name} prints what ${hooks}() throws or rejects with, closes, and goes on`,
    ignore: elsewhere(Server) && !mayRun,
    async fn() {
      const { faults, Failing } = failing(Server, hooks);
      using stderr = new Stderr();
      const server = new Failing(
        LOOPBACK,
        Odd as unknown as RequestHandlerConstructor,
      );
      await serving(server, async () => {
        for (const hook of hooks) {
          for (const how of ["throws", "rejects"] as const) {
            stderr.texts.length = 0;
            faults.set(hook, how);
            assertEquals(await ask(server, "a symbol\n"), "");
            await until(() => server.status.active === 0);
            faults.clear();
            assertEquals(await ask(server, "hello\n"), "hello\n");
            await until(() => server.status.active === 0);
            const told = stderr.texts.filter((each) =>
              each.includes(`Error: ${hook}`)
            );
            assertEquals(told.length, 1, `${hook} ${how}`);
            assertStringIncludes(
              told[0],
              "Exception occurred during the end of the request from (",
            );
          }
        }
        if (!hooks.includes("handleError")) return;
        stderr.texts.length = 0;
        faults.set("verifyRequest", "throws").set("handleError", "throws");
        assertEquals(await ask(server, ""), "");
        faults.clear();
        assertEquals(await ask(server, "hello\n"), "hello\n");
        assertStringIncludes(stderr.texts[0], "Error: handleError");
      });
    },
  });
}

Deno.test("AsyncTCPServer prints what shutdownRequest() throws of a request that is turned away", async () => {
  class Failing extends AsyncTCPServer {
    override verifyRequest() {
      return false;
    }
    override shutdownRequest(): never {
      throw new Error("shutdownRequest");
    }
  }
  using stderr = new Stderr();
  const before = descriptors();
  const server = new Failing(LOOPBACK, EchoLine);
  await serving(server, async () => {
    for (let i = 0; i < 2; i++) assertEquals(await ask(server, ""), "");
    assertEquals(server.status.rejected, 2);
  });
  assertEquals(stderr.texts.length, 2);
  await assertNoneLeft(before);
});

Deno.test("AsyncTCPServer gets the next request while one that is turned away does not end", async () => {
  const shut: Socket[] = [];
  class Rejecting extends AsyncTCPServer {
    static override maxConnections = 1;
    static override maxConnectionsPolicy = "reject" as const;
    override shutdownRequest(request: Socket): Promise<void> {
      if (this.status.rejected === 0) return super.shutdownRequest(request);
      shut.push(request);
      return new Promise(() => {}); // as over a handshake that stalls
    }
  }
  class Waiting extends EchoLine {}
  const server = new Rejecting(LOOPBACK, Waiting);
  await serving(server, async () => {
    using first = await connectTo(server);
    await until(() => server.status.active === 1);
    using _second = await connectTo(server);
    using _third = await connectTo(server);
    await until(() => server.status.rejected === 2);
    assertEquals(server.status.active, 1);
    await first.sendall(bytes("hello\n"));
    assertEquals(text(await first.recv(100)), "hello\n");
    for (const request of shut) request.close();
  });
  assert(shut.length >= 2);
});
