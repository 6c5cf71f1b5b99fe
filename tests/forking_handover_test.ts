/**
 * Handing connections over: to a child that takes none, with no descriptor left, and while the server closes. The bytes
 * of TLS connections, whose descriptors cannot be passed, go to the children instead.
 */

import { once } from "node:events";
import { connect, createServer, type Socket as NetSocket } from "node:net";
import { jobFor } from "../internal/children/child_job.ts";
import { openNodeListener } from "../internal/runtime/open_node_listener.ts";
import {
  type Address,
  AF_INET,
  type InetAddress,
  OSError,
  SHUT_WR,
  Socket,
} from "../mod.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  delay,
} from "./deps.ts";
import {
  all,
  CONFIG,
  decode,
  dial,
  encode,
  fakeJob,
  fakeMember,
  LineClient,
  MAY_UNIX,
  serving,
  TCP,
  UnixStream,
} from "./forking_helpers.ts";
import { digest, randomBytes, recvToEnd, turn } from "./helpers.ts";
import { seeded } from "./stream_fakes.ts";
import { Asks } from "./testdata/forking_handlers.ts";
import { Echo } from "./testdata/handlers.ts";
import { mayFork } from "./helpers/allowed.ts";
import { boundedCommand, within } from "./helpers/within.ts";

const LOCAL: InetAddress = ["127.0.0.1", 0];
const ignoreProc = !mayFork || Deno.build.os !== "linux";

/** A connection of `node:net`, to be handed to a child that is none. */
async function connection(): Promise<NetSocket> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const client = connect(port, "127.0.0.1");
  const [socket] = await once(server, "connection");
  server.close();
  socket.on("close", () => client.destroy());
  return socket;
}

Deno.test("PoolChild whose connection cannot be sent ends the request, and goes on", async () => {
  const { child, poolChild } = fakeMember();
  const refusals = [
    { thrown: Object.assign(new Error(), { code: "ERR_INVALID_HANDLE_TYPE" }) },
    { later: Object.assign(new Error("too many"), { code: "ETOOMANYREFS" }) },
  ];
  for (const refusal of refusals) {
    const socket = await connection();
    child.refusal = refusal;
    await assertRejects(
      () => within(poolChild.run(fakeJob({ socket }))),
      Error,
    );
    assert(socket.destroyed);
    child.refusal = {};
    assertEquals(poolChild.load, 0);
    assertEquals(poolChild.free, true);
    assertEquals(poolChild.open, true);
    const next = await connection();
    const ran = poolChild.run(fakeJob({ socket: next }));
    assertStrictEquals(child.sent.at(-1)![1], next);
    next.destroy(); // as Deno does when the child has it, or has died
    await once(next, "close");
    assertEquals(poolChild.free, false);
    child.say({ type: "acknowledge", id: poolChild.assigned });
    assert(poolChild.free);
    child.say({ type: "done", ids: [poolChild.assigned], ms: 1 });
    await within(ran);
  }
  assertEquals(child.signals, []);
});

Deno.test("PoolChild says that no descriptor was left where Deno speaks of a handle", async () => {
  const { child, poolChild } = fakeMember();
  const socket = await connection();
  const thrown = Object.assign(new Error(), {
    code: "ERR_INVALID_HANDLE_TYPE",
  });
  child.refusal = { thrown };
  const error = await assertRejects(() => poolChild.run(fakeJob({ socket })));
  assertInstanceOf(error, OSError);
  assertStrictEquals(error.code, "EMFILE");
  assertStrictEquals(error.cause, thrown);
});

Deno.test("PoolChild takes no more once its channel breaks, and fails the request of the connection at its exit", async () => {
  for (const code of ["ERR_IPC_DISCONNECTED", "EPIPE"]) {
    const { child, poolChild } = fakeMember();
    child.refusal = { later: Object.assign(new Error("closed"), { code }) };
    const socket = await connection();
    const ran = poolChild.run(fakeJob({ socket })).catch((error) => error);
    await once(socket, "close");
    await turn();
    assertEquals(poolChild.open, false);
    child.exit(3);
    const { name, message } = await within(ran);
    assertEquals(
      `${name}: ${message}`,
      "ChildProcessError: Child process 1 ended (exit code 3)",
    );
  }
});

Deno.test("PoolChild sends a request without its connection where the client is gone", async () => {
  const { child, poolChild } = fakeMember();
  const socket = await connection();
  socket.destroy();
  await once(socket, "close");
  const ran = poolChild.run(fakeJob({ socket }));
  assertEquals(child.sent.at(-1)![1], undefined);
  child.say({ type: "done", ids: [1], ms: 0 });
  await within(ran);
});

Deno.test("PoolChild is free again when a request without a connection was taken, asked for, or ended", async () => {
  let freed = 0;
  const { child, poolChild } = fakeMember({}, () => freed++);
  freed = 0; // a child that is ready can take its first request
  const execute = () => Promise.resolve();
  for (
    const [id, message] of [
      { type: "acknowledge" },
      { type: "call", call: 1, operation: "close" },
      { type: "done", ms: 1 },
      { type: "error", error: { name: "", message: "", thrown: "thrown" } },
    ].entries()
  ) {
    const ran = poolChild.run(fakeJob({ execute }));
    ran.catch(() => {});
    assertStrictEquals(poolChild.free, false);
    child.say({ ...message, id: id + 1, ids: [id + 1] });
    assertEquals(poolChild.free, true);
    assertEquals(freed, id + 1);
  }
  await Promise.resolve();
  assertEquals(child.signals, []);
});

Deno.test("jobFor() has the connection forget its server, which would write to the child past the message queue", async () => {
  const options = { family: AF_INET, address: LOCAL, backlog: 1 };
  using listener = Socket.from(openNodeListener(options));
  const [socket] = await acceptFrom(listener);
  const job = jobFor(socket, ["127.0.0.1", 1], {});
  const { server, _server } = job.socket as NetSocket & Record<string, unknown>;
  assertEquals({ server, _server }, { server: null, _server: null });
  assertStrictEquals(socket.fileno(), -1);
  job.socket!.destroy();
});

async function acceptFrom(listener: Socket): Promise<[Socket, Address]> {
  const [accepted, client] = await Promise.all([
    listener.accept(),
    dial(listener.getsockname()),
  ]);
  client.close();
  return accepted;
}

Deno.test({
  name: "ForkingMixIn gives a child that is stopped no second connection",
  ignore: ignoreProc,
  async fn() {
    await using server = new TCP(LOCAL, Asks, { maxChildren: 2 });
    await using _ = serving(server);
    using busy = await LineClient.connect(server.serverAddress);
    const healthy = await busy.ask("pid");
    const pid = await stopAnother(server);
    try {
      using waits = await LineClient.connect(server.serverAddress); // goes to the child that is stopped
      while (server.status.active < 2) await delay(1);
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

/** Has a second child started, with nothing to do, and stops it. */
async function stopAnother(server: TCP): Promise<number> {
  using client = await LineClient.connect(server.serverAddress);
  const pid = Number(await client.ask("pid"));
  client.close();
  while (server.status.active > 1) await delay(1);
  Deno.kill(pid, "SIGSTOP");
  return pid;
}

/** Connects, sends, and says whether that came back; false where the server had closed before. */
async function echoes(address: Address, text: string): Promise<boolean> {
  try {
    using client = await dial(address);
    await client.sendall(encode(text));
    await client.shutdown(SHUT_WR);
    return decode(await all(client)) === text;
  } catch (error) {
    if (error instanceof OSError) return false;
    throw error;
  }
}

/** Closes a server just when it hands connections to children that run; each that was accepted is served. */
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
  const report = await server.serverClose({ timeout: 15 });
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
    for (let i = 0; i < 6; i++) {
      await checkClose(new TCP(LOCAL, Echo, { maxChildren: 2 }));
    }
  },
});

Deno.test({
  name:
    "ForkingUnixStreamServer loses no connection that it has accepted when it closes",
  ignore: !MAY_UNIX,
  async fn() {
    const dir = await Deno.makeTempDir();
    for (let i = 0; i < 6; i++) {
      await checkClose(new UnixStream(`${dir}/${i}`, Echo, { maxChildren: 2 }));
    }
    await Deno.remove(dir, { recursive: true });
  },
});

const read = (name: string): string =>
  Deno.readTextFileSync(new URL(`./testdata/${name}`, import.meta.url));

Deno.test({
  name: "ForkingTCPServer serves clients over TLS",
  ignore: !mayFork,
  async fn() {
    const [cert, key] = [read("localhost.crt"), read("localhost.key")];
    /** A server whose socket stands on a listener for TLS. */
    class TlsServer extends TCP {
      override serverBind(): void {
        const [hostname, port] = this.serverAddress as [string, number];
        const listener = Deno.listenTls({ hostname, port, cert, key });
        this.socket = Socket.from(listener);
        this.serverAddress = this.socket.getsockname();
      }

      override serverActivate(): void {} // it listens
    }
    const data = randomBytes(200_000, seeded(1));
    const server = new TlsServer(["127.0.0.1", 0], Echo, { maxChildren: 2 });
    await using _serving = serving(server);
    const [hostname, port] = server.serverAddress as [string, number];
    const one = async (): Promise<string> => {
      const options = { hostname, port, caCerts: [cert] };
      using client = Socket.from(await Deno.connectTls(options));
      const received = recvToEnd(client);
      await client.sendall(data);
      await client.shutdown(SHUT_WR);
      return digest(await received);
    };
    const got = await Promise.all(Array.from({ length: 6 }, one));
    assertEquals(new Set(got), new Set([digest(data)]));
    assertEquals(server.reports.left, 0);
  },
});

Deno.test({
  name:
    "ForkingTCPServer with no descriptor left, here or in a child, loses that connection only",
  ignore: !mayFork || Deno.build.os !== "linux",
  async fn() {
    const program = new URL("./testdata/scarce_server.ts", import.meta.url);
    const run = `${Deno.execPath()} run --no-check -A ${CONFIG} ${program}`;
    const { stdout, stderr } = await within(
      boundedCommand("sh", { args: ["-c", `ulimit -n 80; exec ${run}`] })
        .output(),
    );
    assertEquals(decode(stderr), "");
    assertEquals(decode(stdout).trim().split("\n").sort(), [
      "again true", // after the child had some
      "again true 1", // after this process had some
      "child true",
      "dup EMFILE", // the copy for the child
      "fork EMFILE", // the first child
      "fork EMFILE",
      "fork true", // another child could not start: the first takes the request
      "recvmsg EMFILE", // the child's own
      "server true",
      "start true", // the request of a child that could not start
      "start true",
    ]);
  },
});
