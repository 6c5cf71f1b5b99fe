/** Mistakes at the construction of a server: each is told at once, with its cure. */

import {
  AsyncTCPServer,
  ForkingTCPServer,
  ThreadingTCPServer,
} from "../../mixins.ts";
import { TCPServer, UDPServer } from "../../server.ts";
import { BaseRequestHandler } from "../../handlers.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { text } from "../helpers/bytes.ts";
import { ask } from "../helpers/clients.ts";
import { type AnyServerClass, LOOPBACK, serving } from "../helpers/servers.ts";
import { boundedCommand, within } from "../helpers/within.ts";
import { Echo } from "../testdata/handlers.ts";

const mayRun = granted("read", "run", "env");

for (const Server of [ThreadingTCPServer, ForkingTCPServer]) {
  Deno.test({
    name:
      `${Server.name} says where to write import.meta.main, when a module makes a server as it is loaded for its handler`,
    ignore: !mayRun,
    async fn() {
      const script =
        new URL("../testdata/unguarded.ts", import.meta.url).pathname;
      const program = boundedCommand(Deno.execPath(), {
        args: ["run", "-A", "--quiet", script, Server.name, "TCPServer"],
        env: { NO_COLOR: "1" },
      });
      const { code, stderr } = await within(program.output(), 60_000);
      const said = text(stderr);
      assertStringIncludes(said, "if (import.meta.main)");
      assertStringIncludes(said, "Cannot make a server in");
      assertEquals(code, 0);
    },
  });
}

const SERVERS = [
  TCPServer,
  UDPServer,
  AsyncTCPServer,
  ThreadingTCPServer,
  ForkingTCPServer,
] as unknown as AnyServerClass[];

Deno.test({
  name:
    "BaseServer cannot be created while a handler's module is loaded, and can afterwards",
  ignore: !mayRun,
  async fn() {
    class Making extends BaseRequestHandler { // only the worker loads the module
      static readonly moduleUrl =
        new URL("../testdata/making_handlers.ts", import.meta.url).href;
      override handle() {}
    }
    const server = new ThreadingTCPServer(LOOPBACK, Making, { maxWorkers: 1 });
    await serving(server, async () => {
      const [atLoad, later] = JSON.parse(await ask(server, ""));
      assertEquals(atLoad.length, 5);
      for (const message of atLoad) {
        assertStringIncludes(message, "Cannot make a server in a worker");
      }
      assertEquals(later, Array(5).fill("127.0.0.1"));
    });
  },
});

for (const Server of SERVERS) {
  Deno.test({
    name:
      `${Server.name} throws a TypeError for options or a handler of the wrong type`,
    ignore: /^(Thread|Fork)/.test(Server.name) && !mayRun,
    fn() {
      const make = (...args: unknown[]) => () =>
        new Server(...args as ConstructorParameters<AnyServerClass>);
      for (const options of [false, null, 5]) {
        assertThrows(
          make(LOOPBACK, Echo, options),
          TypeError,
          `got ${options}; Python's bind_and_activate is the option`,
        );
      }
      const made = new Echo(undefined as never, LOOPBACK, undefined as never);
      assertThrows(
        make(LOOPBACK, made),
        TypeError,
        "got an object of it: pass Echo",
      );
      const error = assertThrows(make(LOOPBACK, () => {}), TypeError);
      assertStringIncludes(error.message, "got [Function (anonymous)]; write");
    },
  });
}

Deno.test(
  "ForkingTCPServer and ThreadingTCPServer refuse a shared that cannot be copied",
  {
    ignore: !mayRun,
  },
  () => {
    for (const shared of [() => {}, new SharedArrayBuffer(4), [Symbol()]]) {
      assertThrows(
        () => new ForkingTCPServer(LOOPBACK, Echo, { shared }),
        TypeError,
        "Cannot pass shared to a child process, which gets a copy and shares no memory",
      );
    }
    assertThrows(
      () => new ThreadingTCPServer(LOOPBACK, Echo, { shared: () => {} }),
      Error,
      "could not be cloned",
    );
  },
);
