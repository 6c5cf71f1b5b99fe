/** TLS on both ends of a connection: what a wrapped socket does, over each kind of socket. */

import {
  IPPROTO_TCP,
  MSG_DONTWAIT,
  MSG_PEEK,
  OSError,
  select,
  SHUT_WR,
  type Socket,
  TCP_NODELAY,
  TimeoutError,
} from "../../socket.ts";
import { SSLError, SSLSocket } from "../../ssl.ts";
import { granted } from "../helpers/allowed.ts";
import { digest } from "../helpers/bytes.ts";
import { Authority } from "../helpers/certificates.ts";
import { recvToEnd } from "../helpers/sockets.ts";
import {
  authority,
  clientContext,
  KINDS,
  localhost,
  plainPair,
  serverContext,
  tlsPair,
} from "../helpers/ssl.ts";
import { errorOf } from "../helpers/thrown.ts";
import { within } from "../helpers/within.ts";
import {
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
} from "../deps.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

for (const kind of KINDS) {
  const ignore = kind.endsWith("Unix") &&
    (Deno.build.os !== "linux" || !granted("read", "write"));

  Deno.test({
    name: `SSLSocket over ${kind} sends and receives in both directions`,
    ignore,
    async fn() {
      const [client, server] = await tlsPair({ kind });
      using _client = client;
      using _server = server;
      assertInstanceOf(server, SSLSocket);
      assertEquals(client.version(), "TLSv1.3");
      await client.sendall(encode("question"));
      assertEquals(decode(await server.recv(100)), "question");
      await server.sendall(encode("answer"));
      assertEquals(decode(await client.recv(3)), "ans");
      assertEquals(decode(await client.recv(100)), "wer");
    },
  });

  Deno.test({
    name: `SSLSocket over ${kind} loses nothing when calls time out`,
    ignore,
    async fn() {
      const [client, server] = await tlsPair({ kind });
      using _client = client;
      using _server = server;
      client.settimeout(0.01);
      for (let round = 0; round < 3; round++) {
        await errorOf(TimeoutError, client.recv(100));
      }
      await server.sendall(encode("late"));
      client.settimeout(20);
      assertEquals(decode(await client.recv(100)), "late");
    },
  });

  Deno.test({
    name: `SSLSocket over ${kind} reads on after it has ended its own side`,
    ignore,
    async fn() {
      const [client, server] = await tlsPair({ kind });
      using _client = client;
      using _server = server;
      await client.sendall(encode("all there is"));
      await client.shutdown(SHUT_WR);
      assertEquals(decode(await recvToEnd(server)), "all there is");
      const answer = crypto.getRandomValues(new Uint8Array(60_000));
      await server.sendall(answer);
      await server.shutdown(SHUT_WR);
      assertEquals(digest(await recvToEnd(client)), digest(answer));
    },
  });

  Deno.test({
    name: `SSLSocket over ${kind} has files that read and write`,
    ignore,
    async fn() {
      const [client, server] = await tlsPair({ kind });
      using _client = client;
      using _server = server;
      using reader = server.makefile("r");
      await using writer = client.makefile("w");
      await writer.write("first\nsecond\n");
      await writer.flush();
      assertEquals(await reader.readline(), "first\n");
      assertEquals(await reader.readline(), "second\n");
    },
  });
}

const LOCAL = { serverHostname: "localhost" };
const SERVER = { serverSide: true };

/** Wraps both ends of a connection whose server has been read from already. */
async function wrapBoth(client: Socket, server: Socket) {
  const [near, far] = await within(Promise.all([
    clientContext().wrapSocket(client, LOCAL),
    serverContext().wrapSocket(server, SERVER),
  ]));
  await near.sendall(encode("secret"));
  assertEquals(decode(await far.recv(100)), "secret");
  near.close();
  far.close();
}

for (const kind of ["Deno", "Node"] as const) {
  Deno.test(`SSLContext.wrapSocket() over ${kind} takes over a socket in the middle of its stream`, async () => {
    const [client, server] = await plainPair(kind);
    await client.sendall(encode("STARTTLS\r\n"));
    using file = server.makefile("rb");
    assertEquals(decode(await file.readline()), "STARTTLS\r\n");
    const sent = server.sendall(encode("220 ready\r\n")); // not awaited: goes out before the handshake
    assertEquals(decode(await client.recv(100)), "220 ready\r\n");
    await sent;
    await wrapBoth(client, server);
  });

  Deno.test(`SSLContext.wrapSocket() over ${kind} takes over what was peeked, by the socket or by a file`, async () => {
    for (const how of ["socket", "file", "select"]) {
      const [client, server] = await plainPair(kind);
      const wrapped = clientContext().wrapSocket(client, LOCAL);
      using file = server.makefile("rb");
      if (how === "socket") {
        assertEquals((await server.recv(1, MSG_PEEK))[0], 22);
      } else if (how === "file") assertEquals((await file.peek(1))[0], 22);
      else await within(select([server], [], [], 20));
      const far = await serverContext().wrapSocket(server, SERVER);
      const near = await within(wrapped);
      await far.sendall(encode("welcome"));
      assertEquals(decode(await near.recv(100)), "welcome");
      near.close();
      far.close();
    }
  });

  Deno.test(`SSLContext.wrapSocket() over ${kind} goes on after a read that timed out and is still in flight`, async () => {
    const [client, server] = await plainPair(kind);
    for (const socket of [client, server]) {
      socket.settimeout(0.01);
      await errorOf(TimeoutError, socket.recv(10));
      socket.settimeout(20);
    }
    await wrapBoth(client, server);
  });

  Deno.test(`SSLContext.wrapSocket() over ${kind} refuses plain bytes before the handshake, or drops them`, async () => {
    const read: ((socket: Socket) => Promise<unknown>)[] = [
      (socket) => socket.recv(10, MSG_PEEK),
      (socket) => socket.makefile("rb").readline(),
      (socket) => socket.makefile("r").readline(),
    ];
    for (const readSome of read) {
      for (const plaintext of ["refuse", "discard"] as const) {
        const [client, server] = await plainPair(kind);
        await client.sendall(encode("STARTTLS\r\nMAIL FROM:<mallory>\r\n"));
        await within(readSome(server));
        const options = { ...SERVER, plaintext };
        const wrapped = serverContext().wrapSocket(server, options);
        if (plaintext === "refuse") {
          const error = await errorOf(SSLError, wrapped);
          assertEquals(error.reason, "UNEXPECTED_PLAINTEXT");
          assertEquals((await within(client.recv(1))).length, 0); // the server has closed
          client.close();
          continue;
        }
        const [near, far] = await within(Promise.all([
          clientContext().wrapSocket(client, LOCAL),
          wrapped,
        ]));
        await near.sendall(encode("QUIT\r\n"));
        assertEquals(decode(await far.recv(100)), "QUIT\r\n");
        near.close();
        far.close();
      }
    }
  });

  Deno.test(`SSLContext.wrapSocket() over ${kind} lets the old socket count as closed, and keeps its settings`, async () => {
    const [client, server] = await plainPair(kind);
    server.settimeout(7);
    server.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    const sockname = server.getsockname();
    const peername = server.getpeername();
    const [near, far] = await within(Promise.all([
      clientContext().wrapSocket(client, LOCAL),
      serverContext().wrapSocket(server, SERVER),
    ]));
    assertEquals(server.fileno(), -1);
    assertEquals(client.fileno(), -1);
    assertEquals((await errorOf(OSError, server.recv(1))).code, "EBADF");
    server.close();
    assertEquals(far.gettimeout(), 7);
    assertEquals(far.getsockopt(IPPROTO_TCP, TCP_NODELAY), 1);
    far.setsockopt(IPPROTO_TCP, TCP_NODELAY, 0);
    assertEquals(far.getsockname(), sockname);
    assertEquals(far.getpeername(), peername);
    assertEquals(far.serverSide, true);
    assertEquals(far.serverHostname, null);
    assertEquals(near.serverSide, false);
    assertEquals(near.serverHostname, "localhost");
    assertStringIncludes(String(far), "<SSLSocket fd=");
    near.close();
    far.close();
  });

  Deno.test(`SSLContext.wrapSocket() over ${kind} refuses a socket whose data a call waits for`, async () => {
    const [client, server] = await plainPair(kind);
    const waiting = server.recv(10);
    const wrapped = serverContext().wrapSocket(server, SERVER);
    assertEquals((await errorOf(OSError, wrapped)).code, "EBUSY");
    await client.sendall(encode("hello"));
    assertEquals(decode(await within(waiting)), "hello");
    client.close();
    server.close();
  });

  Deno.test(`SSLSocket over ${kind} carries another TLS connection`, async () => {
    const [client, server] = await tlsPair({ kind });
    await wrapBoth(client, server);
  });

  Deno.test(`SSLSocket over ${kind} peeks, does not wait, sends files, and is seen by select`, async () => {
    const [client, server] = await tlsPair({ kind });
    await errorOf(OSError, server.recv(1, MSG_DONTWAIT));
    assertEquals(await select([server], [client], [], 0), [[], [client], []]);
    await client.sendall(encode("data"));
    assertEquals((await within(select([server], [], [], 20)))[0], [server]);
    assertEquals(decode(await server.recv(2, MSG_PEEK)), "da");
    const memory = new Uint8Array(10);
    assertEquals(await server.recvInto(memory), 4);
    if (granted("read")) {
      const path = new URL("../deps.ts", import.meta.url);
      const sent = client.sendfile(path);
      const whole = Deno.readFileSync(path);
      const received = new Uint8Array(whole.length);
      for (let at = 0; at < whole.length;) {
        at += await within(server.recvInto(received.subarray(at)));
      }
      assertEquals(await sent, whole.length);
      assertEquals(digest(received), digest(whole));
    }
    client.close();
    server.close();
  });
}

Deno.test({
  name:
    "SSLContext.reload() swaps the certificates, keeps connections, and changes nothing if it fails",
  ignore: !granted("read", "write"),
  async fn() {
    const folder = await Deno.makeTempDir();
    const paths = ["a", "b"].map((name) => `${folder}/${name}`);
    const renew = (path: string, name: string) => {
      const { cert, key } = authority.issue({ name, hosts: ["localhost"] });
      Deno.writeTextFileSync(path, cert + key);
    };
    for (const path of paths) renew(path, "first");
    const contexts = paths.map((path) =>
      serverContext(localhost, (it) => it.loadCertChain(path))
    );
    contexts[0].addContext("localhost", contexts[1]);
    const served = async () => {
      const [client, server] = await tlsPair({ server: contexts[0] });
      const [[[, name]]] = client.getpeercert()!.subject!;
      return { name, client, server };
    };
    const before = await served();
    paths.forEach((path) => renew(path, "second"));
    assertEquals(before.name, "first");
    contexts[0].reload();
    const after = await served();
    assertEquals(after.name, "second");
    await before.client.sendall(encode("still here"));
    assertEquals(decode(await before.server.recv(100)), "still here");

    renew(paths[0], "third");
    Deno.writeTextFileSync(paths[1], new Authority().cert); // and no key
    await errorOf(SSLError, () => contexts[0].reload());
    const unchanged = await served();
    assertEquals(unchanged.name, "second");
    for (const { client, server } of [before, after, unchanged]) {
      client.close();
      server.close();
    }
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test("SSLSocket.readable and writable carry data, and end one direction at a time", async () => {
  const [client, server] = await tlsPair();
  using _client = client;
  using _server = server;
  const data = "over TLS ".repeat(200_000);
  const echoing = server.readable.pipeTo(server.writable);
  const answer = new Response(data).body!.pipeThrough(client);
  assertEquals(await within(new Response(answer).text()), data);
  await echoing;
});
