/** The limits of a server: a counter and a call of `handleLimit` for each time that one is reached. */

import {
  type Address,
  AsyncTCPServer,
  type LimitName,
  type ServerStatus,
} from "../mod.ts";
import { assertEquals, assertStringIncludes } from "./deps.ts";
import { serverContext } from "./ssl_helpers.ts";
import {
  connectTo,
  EchoLine,
  LOOPBACK,
  serving,
  Stderr,
  until,
} from "./server_helpers.ts";
import { granted } from "./helpers/allowed.ts";
import { within } from "./helpers/within.ts";

/** Returns the counters of the limits that were reached. */
function reached({ limits }: ServerStatus): Record<string, number> {
  const hits = Object.entries(limits).filter(([, count]) => count > 0);
  return Object.fromEntries(hits);
}

/** A server that keeps what its hook hears. */
class Noting extends AsyncTCPServer {
  readonly heard: [limit: LimitName, client: Address | null][] = [];
  override handleLimit(limit: LimitName, client: Address | null) {
    this.heard.push([limit, client]);
  }
}

Deno.test("AsyncTCPServer counts the clients that it turns away at a cap, and names them", async () => {
  for (const cap of ["maxConnections", "maxConnectionsPerClient"] as const) {
    const options = { [cap]: 1, maxConnectionsPolicy: "reject" } as const;
    await serving(new Noting(LOOPBACK, EchoLine, options), async (server) => {
      assertEquals(reached(server.status), {});
      using _first = await connectTo(server);
      for (const count of [1, 2]) {
        using client = await connectTo(server);
        assertEquals((await within(client.recv(1))).length, 0);
        assertEquals(reached(server.status), { [cap]: count });
        assertEquals(server.heard.at(-1), [cap, client.getsockname()]);
      }
      const { limits, rejected } = server.status;
      assertEquals([limits[cap], rejected, server.heard.length], [2, 2, 2]);
    });
  }
});

Deno.test("AsyncTCPServer counts each time that it stops accepting at maxConnections", async () => {
  class Ticking extends Noting {
    ticks = 0;
    override serviceActions() {
      this.ticks++;
    }
  }
  const server = new Ticking(LOOPBACK, EchoLine, { maxConnections: 1 });
  await serving(server, async () => {
    for (const count of [1, 2]) {
      using _client = await connectTo(server);
      await until(() => server.status.limits.maxConnections === count);
      const ticks = server.ticks + 3;
      await until(() => server.ticks > ticks); // to wait longer counts nothing
      assertEquals(reached(server.status), { maxConnections: count });
      assertEquals(server.heard.length, count);
      assertEquals(server.heard.at(-1), ["maxConnections", null]);
    }
  }, { pollInterval: 0.01 });
});

Deno.test("status.limits is a snapshot", async () => {
  await using server = new Noting(LOOPBACK, EchoLine, { maxConnections: 1 });
  const before = server.status.limits;
  const served = server.handleRequest();
  using client = await connectTo(server);
  const next = server.handleRequest().catch(() => {});
  await until(() => server.status.limits.maxConnections === 1);
  assertEquals(before.maxConnections, 0);
  client.close();
  await within(served);
  await within(server.serverClose());
  await within(next);
});

Deno.test("AsyncTCPServer counts a handshake beyond its time limit, and no other failure", async () => {
  const ssl = serverContext();
  await serving(new Noting(LOOPBACK, EchoLine, { ssl }), async (server) => {
    using hasty = await connectTo(server);
    hasty.close();
    await until(() => server.status.handshakeErrors === 1);
    assertEquals(reached(server.status), {});
    ssl.handshakeTimeout = 0.05; // for the handshakes that begin from now on
    using slow = await connectTo(server);
    await within(slow.recv(1));
    await until(() => server.status.handshakeErrors === 2);
    assertEquals(reached(server.status), { handshakeTimeout: 1 });
    assertEquals(server.heard, [["handshakeTimeout", slow.getsockname()]]);
  });
});

Deno.test("AsyncTCPServer.handleLimit() that fails is printed, and the server goes on", async () => {
  class Failing extends AsyncTCPServer {
    override handleLimit(_: LimitName, client: Address | null): Promise<void> {
      const error = new Error(client === null ? "sync" : "async");
      if (client === null) throw error;
      return Promise.reject(error);
    }
  }
  const server = new Failing(LOOPBACK, EchoLine, { maxConnections: 1 });
  using stderr = new Stderr();
  await serving(server, async () => {
    using _first = await connectTo(server);
    await until(() => stderr.texts.length === 1);
    server.maxConnectionsPolicy = "reject"; // wakes the loop
    using second = await connectTo(server);
    await within(second.recv(1));
    await until(() => stderr.texts.length === 2);
    assertStringIncludes(stderr.texts[0], "Error: sync");
    assertStringIncludes(stderr.texts[1], "Error: async");
    assertEquals(server.status.limits.maxConnections, 2);
  });
});

Deno.test({
  name: "docs/guide.md lists the limits and their defaults",
  ignore: !granted("read"),
  async fn() {
    const url = new URL("../docs/guide.md", import.meta.url);
    const [, section] = (await Deno.readTextFile(url)).split("\n## Limits\n");
    const rows = [
      ...section.split("\n## ")[0].matchAll(/^\| `(\w+)` +\| (.+?) +\|/gm),
    ];
    await using server = new AsyncTCPServer(LOOPBACK, EchoLine);
    const { handshakeTimeout } = serverContext();
    const settings: Record<string, unknown> = {
      ...server.options,
      handshakeTimeout,
    };
    const table = Object.keys(server.status.limits).map((
      limit,
    ) => [limit, settings[limit]]);
    const value = (text: string) =>
      text === "`Infinity`"
        ? Infinity
        : text === "`null`"
        ? null
        : parseInt(text.replaceAll(",", ""));
    assertEquals(rows.map(([, limit, text]) => [limit, value(text)]), table);
  },
});
