/**
 * Passing connections: to a stopped child, with no descriptor left, and while the server closes. The bytes
 * of TLS connections, whose descriptors cannot be passed, go to the children instead.
 */

import { type Address, type InetAddress, OSError, SHUT_WR } from "../../mod.ts";
import { subscribe } from "../../telemetry.ts";
import { assertEquals, assertStrictEquals } from "../deps.ts";
import { mayFork } from "../helpers/allowed.ts";
import { bytes, digest, randomBytes, seeded, text } from "../helpers/bytes.ts";
import { dial, LineClient } from "../helpers/clients.ts";
import { connectDenoTls, overDenoTls } from "../helpers/deno_tls.ts";
import {
  CONFIG,
  MAY_UNIX,
  serving,
  TCP,
  UnixStream,
} from "../helpers/forking.ts";
import { recvToEnd } from "../helpers/sockets.ts";
import { turn } from "../helpers/turns.ts";
import { boundedCommand, until, within } from "../helpers/within.ts";
import { Asks } from "../testdata/forking_handlers.ts";
import { Echo } from "../testdata/handlers.ts";

const LOCAL: InetAddress = ["127.0.0.1", 0];
const ignoreProc = !mayFork || Deno.build.os !== "linux";

Deno.test({
  name:
    "ForkingMixIn: a stopped child holds up no connection while it starts, and one later",
  ignore: ignoreProc,
  async fn() {
    const started: number[] = [];
    using _stopping = subscribe("socketserver.child.start", (event) => {
      if (started.push(event.pid) === 2) Deno.kill(event.pid, "SIGSTOP");
    });
    await using server = new TCP(LOCAL, Asks, { maxChildren: 2 });
    await using _ = serving(server);
    using first = await LineClient.connect(server.serverAddress);
    const healthy = await first.ask("pid");
    using busy = await LineClient.connect(server.serverAddress); // waits for a second child
    await until(() => started.length === 2);
    first.close();
    assertStrictEquals(await busy.ask("pid"), healthy);
    Deno.kill(started[1], "SIGCONT");
    const pid = await stopAnother(server);
    try {
      using waits = await LineClient.connect(server.serverAddress); // goes to the stopped child
      await until(() => server.status.active >= 2);
      for (let i = 0; i < 5; i++) {
        using client = await LineClient.connect(server.serverAddress);
        assertStrictEquals(await client.ask("pid"), healthy);
      }
      Deno.kill(pid, "SIGCONT");
      assertStrictEquals(Number(await waits.ask("pid")), pid);
    } finally {
      Deno.kill(pid, "SIGCONT");
    }
  },
});

/** Starts a second child without requests, and stops it. */
async function stopAnother(server: TCP): Promise<number> {
  using client = await LineClient.connect(server.serverAddress);
  const pid = Number(await client.ask("pid"));
  client.close();
  await until(() => server.status.active <= 1);
  Deno.kill(pid, "SIGSTOP");
  return pid;
}

/** Reports whether a line comes back; false if the server has closed before. */
async function echoes(address: Address, line: string): Promise<boolean> {
  try {
    using client = await dial(address);
    await client.sendall(bytes(line));
    await client.shutdown(SHUT_WR);
    return text(await recvToEnd(client)) === line;
  } catch (error) {
    if (error instanceof OSError) return false;
    throw error;
  }
}

/** Closes a server while it passes connections to children; each accepted connection is served. */
async function checkClose(server: TCP | UnixStream): Promise<void> {
  const served = server.serveForever();
  const warm = () => echoes(server.serverAddress, "warm");
  await Promise.all(Array.from({ length: 8 }, warm));
  const before = server.status.accepted;
  const answers = Array.from(
    { length: 40 },
    (_, i) => echoes(server.serverAddress, `${i}`),
  );
  while (server.status.accepted < before + 15) await turn();
  const under = server.status.active;
  const report = await server.serverClose({ timeout: 30 });
  const good = (await Promise.all(answers)).filter(Boolean).length;
  const { accepted, rejected } = server.status;
  assertStrictEquals(server.reports.left, 0);
  assertStrictEquals(good, accepted - rejected - before);
  assertEquals(report, { idle: 0, finished: under, forced: 0 });
  await served;
}

Deno.test({
  name:
    "ForkingTCPServer loses no connection that it has accepted when it closes",
  ignore: !mayFork,
  async fn() {
    for (const maxChildren of [1, 2]) {
      await checkClose(new TCP(LOCAL, Echo, { maxChildren }));
    }
  },
});

Deno.test({
  name:
    "ForkingUnixStreamServer loses no connection that it has accepted when it closes",
  ignore: !MAY_UNIX,
  async fn() {
    const dir = await Deno.makeTempDir();
    const options = { maxChildren: 1 };
    await checkClose(new UnixStream(`${dir}/socket`, Echo, options));
    await Deno.remove(dir, { recursive: true });
  },
});

Deno.test({
  name: "ForkingTCPServer serves clients over TLS",
  ignore: !mayFork,
  async fn() {
    const TlsServer = overDenoTls(TCP);
    const data = randomBytes(200_000, seeded(1));
    const server = new TlsServer(LOCAL, Echo, { maxChildren: 1 });
    await using _serving = serving(server);
    const one = async (): Promise<string> => {
      using client = await connectDenoTls(server.serverAddress);
      const received = recvToEnd(client);
      await client.sendall(data);
      await client.shutdown(SHUT_WR);
      return digest(await received);
    };
    const got = await Promise.all(Array.from({ length: 3 }, one));
    assertEquals(new Set(got), new Set([digest(data)]));
    assertEquals(server.reports.left, 0);
  },
});

Deno.test({
  name:
    "ForkingTCPServer with no descriptor left, here or in a child, loses that connection only",
  ignore: !mayFork || Deno.build.os !== "linux",
  async fn() {
    const program = new URL("../testdata/scarce_server.ts", import.meta.url);
    const run = `${Deno.execPath()} run --no-check -A ${CONFIG} ${program}`;
    const { stdout, stderr } = await within(
      boundedCommand("sh", { args: ["-c", `ulimit -n 80; exec ${run}`] })
        .output(),
    );
    assertEquals(text(stderr), "");
    assertEquals(text(stdout).trim().split("\n").sort(), [
      "again true", // the child had some before
      "again true 1", // this process had some before
      "child true",
      "dup EMFILE", // the copy for the child
      "fork EMFILE", // the first child
      "fork EMFILE",
      "fork true", // another child could not start, so that the first takes the request
      "recvmsg EMFILE", // the child's own
      "server true",
      "start true", // the request of a child that could not start
      "start true",
    ]);
  },
});
