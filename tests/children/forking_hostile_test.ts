/** The reach of a hostile handler in a child, as docs/guide.md describes it sentence by sentence. */

import {
  AF_INET,
  AF_UNIX,
  type InetAddress,
  SOCK_DGRAM,
  Socket,
} from "../../mod.ts";
import { assert, assertStrictEquals, assertStringIncludes } from "../deps.ts";
import { mayFork } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { LineClient } from "../helpers/clients.ts";
import { assertNoneLeft, descriptors } from "../helpers/descriptors.ts";
import {
  exists,
  MAY_UNIX,
  serving,
  TCP,
  UDP,
  UnixDatagram,
} from "../helpers/forking.ts";
import { Elsewhere, Hostile } from "../testdata/hostile_handlers.ts";
import { until } from "../helpers/within.ts";

const LOCAL: InetAddress = ["127.0.0.1", 0];
const ignore = !mayFork;
const ignoreProc = ignore || Deno.build.os !== "linux";

/** Receives until the stream ends or is reset. */
async function assertGone(client: LineClient): Promise<void> {
  try {
    while (await client.line() !== "");
  } catch (error) {
    assertStrictEquals((error as { code?: string }).code, "ECONNRESET");
  }
}

Deno.test({
  name:
    "A hostile handler has only childPermissions, sees the other requests of its child, and loses the child for messages in the name of the library",
  ignore: ignoreProc,
  async fn() {
    const options = { maxChildren: 1, databasePassword: "secret" };
    await using server = new TCP(LOCAL, Hostile, options);
    await using _ = serving(server);
    using client = await LineClient.connect(server.serverAddress);
    for (
      const attempt of [
        "read /etc/passwd",
        "write /tmp/by_a_hostile_handler",
        "run /bin/true",
        "env HOME",
        "connect 80",
      ]
    ) {
      assertStrictEquals(await client.ask(attempt), "NotCapable", attempt);
    }
    assertStrictEquals(await client.ask("options"), "{}");
    // A second acknowledgement of a connection changes nothing.
    assertStrictEquals(await client.ask("acknowledge"), "acknowledge");
    using other = await LineClient.connect(server.serverAddress);
    assertStrictEquals(await other.ask("requests"), "2");
    assertStrictEquals(await client.ask("hello"), "hello");
    for (const each of [client, other]) each.close();
    await until(() => server.status.active === 0);
    server.maxConnections = 1;
    for (const what of ["done", "internal", "handle"]) {
      await checkLoss(server, what);
    }
    using next = await LineClient.connect(server.serverAddress);
    assertStrictEquals(await next.ask("hello"), "hello");
    assertStrictEquals(server.status.active, 1);
  },
});

/** Checks that messages of a hostile handler end its child, and leave nothing open. */
async function checkLoss(server: TCP, what: string): Promise<void> {
  using client = await LineClient.connect(server.serverAddress);
  const pid = Number(await client.ask("pid"));
  const before = descriptors();
  await client.send(what);
  await assertGone(client);
  const { error } = await server.reports.next();
  assertStringIncludes(error.message, "cannot be understood", what);
  assert(!exists(pid));
  await assertNoneLeft(before);
}

Deno.test({
  name:
    "A hostile handler that keeps its connection counts until its process has ended, with requestsPerChild 1",
  ignore: ignoreProc,
  async fn() {
    const options = { requestsPerChild: 1, maxConnections: 1 };
    await using server = new TCP(LOCAL, Hostile, options);
    await using _ = serving(server);
    using client = await LineClient.connect(server.serverAddress);
    const pid = Number(await client.ask("pid"));
    await client.send("hold"); // and its process ignores the request to exit
    const { error } = await server.reports.next();
    assertStringIncludes(error.message, "says that it has ended");
    assert(!exists(pid));
    await assertGone(client);
    using next = await LineClient.connect(server.serverAddress);
    assertStrictEquals(await next.ask("requests"), "1"); // no byte of another client
    assertStrictEquals(server.status.active, 1);
  },
});

Deno.test({
  name:
    "ForkingUDPServer sends datagrams of a child to its client only, unless childPermissions.net lists more",
  ignore,
  async fn() {
    using client = new Socket(AF_INET, SOCK_DGRAM);
    using other = new Socket(AF_INET, SOCK_DGRAM);
    for (const socket of [client, other]) {
      socket.settimeout(20);
      socket.bind(LOCAL);
    }
    const [, port] = other.getsockname() as [string, number];
    const ask = async (server: UDP, question: string) => {
      await client.sendto(bytes(question), server.serverAddress);
      return text((await client.recvfrom(1000))[0]);
    };
    const [, own] = client.getsockname() as [string, number];
    for (
      const [net, answer] of [
        [["127.0.0.2", `127.0.0.1:${port ^ 1}`, "localhost"], "EACCES"],
        [["127.0.0.0/8"], "sent"],
      ] as const
    ) {
      await using server: UDP = new UDP(LOCAL, Elsewhere, {
        childPermissions: { net: [...net] },
      });
      await using _ = serving(server);
      const said = await ask(server, `127.0.0.1 ${port}`);
      assertStrictEquals(said.split(" ")[0], answer, `${net}`);
      if (answer === "sent") await other.recvfrom(100);
      assertStringIncludes(await ask(server, `127.0.0.1 ${own}`), "127.0.0.1 ");
      assertStringIncludes(text((await client.recvfrom(100))[0]), "sent");
      assertStrictEquals(server.reports.left, 0);
    }
  },
});

Deno.test({
  name:
    "ForkingUnixDatagramServer sends datagrams of a child to its client only",
  ignore: !MAY_UNIX || !("listenDatagram" in Deno),
  async fn() {
    const dir = await Deno.makeTempDir();
    using client = new Socket(AF_UNIX, SOCK_DGRAM);
    using other = new Socket(AF_UNIX, SOCK_DGRAM);
    client.bind(`${dir}/client`);
    other.bind(`${dir}/other`);
    client.settimeout(20);
    await using server = new UnixDatagram(`${dir}/server`, Elsewhere);
    await using _ = serving(server);
    await client.sendto(bytes(`${dir}/other`), `${dir}/server`);
    assertStrictEquals(text((await client.recvfrom(99))[0]), "EACCES");
    await client.sendto(bytes(`${dir}/client`), `${dir}/server`);
    assertStringIncludes(
      text((await client.recvfrom(99))[0]),
      `${dir}/client`,
    );
    await server.serverClose();
    await Deno.remove(dir, { recursive: true });
  },
});
