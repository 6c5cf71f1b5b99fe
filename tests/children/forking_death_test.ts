import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertStringIncludes,
} from "../deps.ts";
import { type InetAddress, TimeoutError } from "../../mod.ts";
import { mayFork } from "../helpers/allowed.ts";
import { text } from "../helpers/bytes.ts";
import { assertEnd, LineClient } from "../helpers/clients.ts";
import { CONFIG, exists, serving, TCP } from "../helpers/forking.ts";
import { boundedCommand, until } from "../helpers/within.ts";
import { subscribe } from "../../telemetry.ts";
import { Asks } from "../testdata/forking_handlers.ts";

const LOCAL: InetAddress = ["127.0.0.1", 0];
const ignore = !mayFork;
const ignoreProc = ignore || Deno.build.os !== "linux";

/** The ways in which a child ends, and the error of each. */
const DEATHS: [
  how: (client: LineClient, pid: number) => unknown,
  told: string,
][] = [
  [(_, pid) => Deno.kill(pid, "SIGKILL"), "killed by SIGKILL"],
  [(client) => client.send("exit 7"), "exit code 7"],
  [(client) => client.send("disconnect"), "exit code 0"],
  [(client) => client.send("say null"), "cannot be understood"],
];

Deno.test({
  name:
    "ForkingMixIn: a child that exits, is killed or closes its channel costs its own requests and is replaced",
  ignore: ignoreProc,
  async fn() {
    await using server = new TCP(LOCAL, Asks, { maxChildren: 2 });
    await using _ = serving(server);
    using unharmed = await LineClient.connect(server.serverAddress);
    await unharmed.ask("x");
    for (const [die, told] of DEATHS) {
      using client = await LineClient.connect(server.serverAddress);
      const pid = Number(await client.ask("pid"));
      assertStrictEquals(server.activeChildren!.size, 2);
      await die(client, pid);
      await assertEnd(client.socket);
      const { address, error } = await server.reports.next();
      assertStrictEquals(error.name, "ChildProcessError");
      assertStringIncludes(error.message, told);
      assertStringIncludes(error.message, String(pid));
      assertEquals(address, client.socket.getsockname());
      assert(!server.activeChildren!.has(pid));
      assert(!exists(pid), "a zombie is left");
      assertStrictEquals(await unharmed.ask("unharmed"), "UNHARMED");
    }
    assertStrictEquals(server.reports.left, 0);
  },
});

Deno.test({
  name: "ForkingMixIn: childTimeout kills a child that is stuck",
  ignore: ignoreProc,
  async fn() {
    await using server = new TCP(LOCAL, Asks, {
      maxChildren: 1,
      childTimeout: 3,
      childPermissions: { run: true }, // to stop itself
    });
    await using _ = serving(server);
    using stuck = await LineClient.connect(server.serverAddress);
    await stuck.send("stop");
    await until(() => server.activeChildren !== null);
    const [pid] = server.activeChildren!;
    await assertEnd(stuck.socket);
    const { error } = await server.reports.next();
    assertInstanceOf(error, TimeoutError);
    assertStringIncludes(error.message, "childTimeout");
    assertStringIncludes(error.message, String(pid));
    await server.collectChildren({ blocking: true });
    assert(!exists(pid));
    using next = await LineClient.connect(server.serverAddress);
    assertStrictEquals(await next.ask("next"), "NEXT");
  },
});

for (const acceptIn of ["parent", "children"] as const) {
  Deno.test({
    name:
      `ForkingMixIn: a child that is killed before it is ready is replaced, and its client goes to the next one, acceptIn ${acceptIn}`,
    ignore: ignoreProc,
    async fn() {
      const killed: number[] = [];
      await using server = new TCP(LOCAL, Asks, { acceptIn, maxChildren: 1 });
      using _killing = subscribe("socketserver.child.start", (event) => {
        if (killed.length === 1) return;
        killed.push(event.pid);
        Deno.kill(event.pid, "SIGKILL");
      });
      await using _ = serving(server);
      using client = await LineClient.connect(server.serverAddress);
      assert(Number(await client.ask("pid")) !== killed[0]);
      assertStrictEquals(server.status.failed, 0);
      assertStrictEquals(server.reports.left, 0);
    },
  });
}

Deno.test({
  name:
    "ForkingMixIn: a connection whose second child is killed before it is ready as well is closed",
  ignore: ignoreProc,
  async fn() {
    let starts = 0;
    await using server = new TCP(LOCAL, Asks, { maxChildren: 1 });
    using _killing = subscribe("socketserver.child.start", ({ pid }) => {
      if (++starts <= 2) Deno.kill(pid, "SIGKILL");
    });
    await using _ = serving(server);
    using client = await LineClient.connect(server.serverAddress);
    await assertEnd(client.socket);
    const { error } = await server.reports.next();
    assertStrictEquals(error.name, "ChildProcessError");
    assertStringIncludes(error.message, "before it was ready");
    using next = await LineClient.connect(server.serverAddress);
    assertStrictEquals(await next.ask("next"), "NEXT");
    assertStrictEquals(starts, 3);
  },
});

Deno.test({
  name:
    "ForkingMixIn: a connection over its requestTimeout whose child is killed before it is ready goes to no other child",
  ignore: ignoreProc,
  async fn() {
    const started: number[] = [];
    class Limited extends TCP {
      override handleLimit() {
        Deno.kill(started[0], "SIGKILL");
      }
    }
    await using server = new Limited(LOCAL, Asks, { maxChildren: 1 });
    using _stopping = subscribe("socketserver.child.start", ({ pid }) => {
      started.push(pid);
      Deno.kill(pid, "SIGSTOP");
      server.requestTimeout = 0.001; // from now on
    });
    await using _ = serving(server);
    using client = await LineClient.connect(server.serverAddress);
    await assertEnd(client.socket);
    const { error } = await server.reports.next();
    assertInstanceOf(error, TimeoutError);
    assertStringIncludes(error.message, "requestTimeout");
    assertStrictEquals(started.length, 1);
  },
});

Deno.test({
  name:
    "ForkingMixIn: a child that fails before it is ready costs no request while another one runs",
  ignore: ignoreProc,
  async fn() {
    let starts = 0;
    await using server = new TCP(LOCAL, Asks, { maxChildren: 2 });
    using _aborting = subscribe("socketserver.child.start", ({ pid }) => {
      if (++starts === 2) Deno.kill(pid, "SIGABRT");
    });
    await using _ = serving(server);
    using first = await LineClient.connect(server.serverAddress);
    const ready = await first.ask("pid");
    for (let i = 0; i < 2; i++) {
      using client = await LineClient.connect(server.serverAddress);
      assertStrictEquals(await client.ask("pid"), ready);
    }
    assertStrictEquals(starts, 2);
    assertStrictEquals(server.reports.left, 0);
  },
});

Deno.test({
  name: "ForkingMixIn: serverClose() ends a child that is stuck",
  ignore: ignoreProc,
  async fn() {
    const server = new TCP(LOCAL, Asks);
    const served = server.serveForever();
    using stuck = await LineClient.connect(server.serverAddress);
    const pid = Number(await stuck.ask("pid"));
    await stuck.send("spin");
    const report = await server.serverClose({ timeout: 0.1 });
    assertEquals(report, { idle: 0, finished: 0, forced: 1 });
    assert(!exists(pid));
    assertStrictEquals(server.reports.left, 0);
    await served;
  },
});

Deno.test({
  name:
    "ForkingMixIn: a connection on its way to a child that dies is closed, and waiting ones go to the next child",
  ignore: ignoreProc,
  async fn() {
    await using server = new TCP(LOCAL, Asks, { maxChildren: 1 });
    await using _ = serving(server);
    using first = await LineClient.connect(server.serverAddress);
    const pid = Number(await first.ask("pid"));
    Deno.kill(pid, "SIGSTOP"); // from now on the child takes no connection
    using second = await LineClient.connect(server.serverAddress);
    await until(() => server.status.active >= 2);
    const others = await Promise.all(
      Array.from({ length: 4 }, () => LineClient.connect(server.serverAddress)),
    );
    await until(() => server.status.active >= 6);
    Deno.kill(pid, "SIGKILL");
    for (const client of [first, second]) {
      await assertEnd(client.socket);
      await server.reports.next();
    }
    for (const client of others) {
      assertStrictEquals(await client.ask("next"), "NEXT");
      client.close();
    }
    assertStrictEquals(server.reports.left, 0);
  },
});

const PARENT = `
import { ForkingTCPServer } from ${
  JSON.stringify(new URL("../../mod.ts", import.meta.url).href)
};
import { Asks } from ${
  JSON.stringify(
    new URL("../testdata/forking_handlers.ts", import.meta.url).href,
  )
};
const server = new ForkingTCPServer(["127.0.0.1", 0], Asks);
console.log(server.serverAddress[1]);
await server.serveForever();
`;

Deno.test({
  name: "ForkingMixIn: no child outlives a server that is killed",
  ignore: ignoreProc,
  async fn() {
    const parent = boundedCommand(Deno.execPath(), {
      args: [
        "run",
        "-A",
        CONFIG,
        `data:text/javascript,${encodeURIComponent(PARENT)}`,
      ],
      stdout: "piped",
    }).spawn();
    const reader = parent.stdout.getReader();
    const { value } = await reader.read();
    const port = Number(text(value!));
    using client = await LineClient.connect(["127.0.0.1", port]);
    const pid = Number(await client.ask("pid"));
    assert(exists(pid));
    parent.kill("SIGKILL");
    await parent.status;
    await reader.cancel();
    await assertEnd(client.socket); // the child is going
    await until(() => !exists(pid));
  },
});
