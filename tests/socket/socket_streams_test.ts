/** `Socket.readable` and `Socket.writable`: Web Streams over a socket. */

import {
  createServer,
  MSG_PEEK,
  OSError,
  SHUT_WR,
  Socket,
  TimeoutError,
} from "../../socket.ts";
import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "../deps.ts";
import { mayRun, talk } from "../examples/example_helpers.ts";
import { have } from "../helpers/allowed.ts";
import { bytes, digest, randomBytes, seeded, text } from "../helpers/bytes.ts";
import {
  portOf,
  recvToEnd,
  tcpPair,
  tcpSocketAndReset,
  udp,
  withPair,
} from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

/** More than the buffers of the system hold. */
const MUCH = 16_000_000;

withPair(
  "Socket.readable and writable are the same streams each time",
  async (client, server) => {
    assertStrictEquals(client.readable, client.readable);
    assertStrictEquals(client.writable, client.writable);
    const writer = client.writable.getWriter();
    assertThrows(() => client.writable.getWriter(), TypeError); // it is locked
    await writer.write(bytes("one"));
    writer.releaseLock();
    const reader = server.readable.getReader();
    assertEquals(text((await within(reader.read())).value!), "one");
    reader.releaseLock();
  },
);

withPair(
  "Socket.readable and writable carry text and compressed data",
  async (client, server) => {
    const data = randomBytes(300_000, seeded(7));
    const sending = new Response(data).body!
      .pipeThrough(new CompressionStream("gzip")).pipeTo(client.writable);
    const raw = server.readable.pipeThrough(new DecompressionStream("gzip"));
    const received = new Uint8Array(
      await within(new Response(raw).arrayBuffer()),
    );
    assertEquals(digest(received), digest(data));
    await within(sending);
    const answering = ReadableStream.from(["Grüße, ", "Welt"])
      .pipeThrough(new TextEncoderStream()).pipeTo(server.writable);
    let answer = "";
    for await (
      const part of client.readable.pipeThrough(new TextDecoderStream())
    ) {
      answer += part;
    }
    assertEquals(answer, "Grüße, Welt");
    await answering;
  },
);

withPair(
  "the body of a Response goes out whole, and ends the stream",
  async (client, server) => {
    const data = randomBytes(5_000_000, seeded(8));
    const sent = new Response(data).body!.pipeTo(client.writable);
    assertEquals(digest(await recvToEnd(server)), digest(data));
    await within(sent);
    await server.sendall(bytes("thanks")); // only one direction has ended
    assertEquals(text(await within(client.recv(10))), "thanks");
  },
);

withPair(
  "the end of the peer closes Socket.readable, and not the socket",
  async (client, server) => {
    await client.sendall(bytes("last"));
    await client.shutdown(SHUT_WR);
    assertEquals(await within(new Response(server.readable).text()), "last");
    await within(server.sendall(bytes("answer")));
    server.close();
    assertEquals(await within(new Response(client.readable).text()), "answer");
    assertEquals(client.fileno() > 0, true);
  },
);

withPair(
  "Socket.writable.close() shuts down for writing",
  async (client, server) => {
    const writer = client.writable.getWriter();
    writer.write(bytes("a"));
    await within(writer.close());
    assertEquals(text(await recvToEnd(server)), "a");
    assertEquals(await codeOf(() => client.send(bytes("b"))), "EPIPE");
    await server.sendall(bytes("c"));
    assertEquals(text(await within(client.recv(1))), "c");
  },
);

withPair(
  "Socket.readable receives nothing that nobody reads",
  async (client, server) => {
    const reader = server.readable.getReader();
    let sent = false;
    const sending = client.sendall(new Uint8Array(MUCH)).then(() =>
      sent = true
    );
    for (let i = 0; i < 50; i++) await turn();
    assertEquals(sent, false);
    reader.releaseLock();
    client.shutdown(SHUT_WR);
    assertEquals((await recvToEnd(server)).length, MUCH); // the stream has taken none of it
    await sending;
  },
);

withPair(
  "Socket.writable tells a writer to wait while the peer does not read",
  async (client, server) => {
    const writer = client.writable.getWriter();
    assertEquals(writer.desiredSize, 1);
    const writing = writer.write(new Uint8Array(MUCH));
    for (let i = 0; i < 50; i++) await turn();
    assertEquals(writer.desiredSize, 0);
    let ready = false;
    const waiting = writer.ready.then(() => ready = true);
    await turn();
    assertEquals(ready, false);
    const received = recvToEnd(server);
    await within(waiting);
    await writing;
    await writer.close();
    assertEquals((await received).length, MUCH);
  },
);

withPair(
  "streams and calls take turns, and lose nothing",
  async (client, server) => {
    await client.sendall(bytes("abcdefgh"));
    assertEquals(text(await within(server.recv(8, MSG_PEEK))), "abcdefgh");
    assertEquals(text(await server.recv(2)), "ab");
    const reader = server.readable.getReader({ mode: "byob" });
    const first = await within(reader.read(new Uint8Array(3)));
    assertEquals(text(first.value!), "cde");
    assertEquals(text(await server.recv(2)), "fg");
    reader.releaseLock();
    const plain = server.readable.getReader();
    assertEquals(text((await within(plain.read())).value!), "h");
    const given = plain.read();
    plain.releaseLock(); // while the read waits
    await assertRejects(() => given, TypeError);
    await client.sendall(bytes("later"));
    const again = server.readable.getReader();
    assertEquals(text((await within(again.read())).value!), "later");
    again.releaseLock();
    await client.sendall(bytes("on"));
    assertEquals(text(await within(server.recv(9))), "on");
  },
);

withPair(
  "Socket.readable fills the memory of a BYOB reader",
  async (client, server) => {
    const reader = server.readable.getReader({ mode: "byob" });
    await client.sendall(bytes("abc"));
    const { value } = await within(reader.read(new Uint8Array(10)));
    assertEquals(text(value!), "abc", "value");
    assertEquals(value!.buffer.byteLength, 10, "byteLength");
    const four = reader.read(new Uint8Array(4), { min: 4 });
    await client.sendall(bytes("de"));
    for (let i = 0; i < 10; i++) await turn();
    await client.sendall(bytes("fghi"));
    assertEquals(text((await within(four)).value!), "defg");
    const rest = reader.read(new Uint8Array(20), { min: 20 });
    client.close();
    assertEquals(text((await within(rest)).value!), "hi"); // fewer, at the end
    const end = await within(reader.read(new Uint8Array(2)));
    assertEquals(end.done, true, "done");
    assertEquals(end.value?.length, 0, "length");
  },
);

withPair("a chunk belongs to its reader", async (client, server) => {
  const reader = server.readable.getReader();
  for (let i = 0; i < 30; i++) {
    await client.sendall(bytes(`${i % 10}`.repeat(50)));
    const { value } = await within(reader.read());
    assertEquals(value!.buffer.byteLength, 50); // no byte of another chunk
    structuredClone(value!, { transfer: [value!.buffer] });
    await client.sendall(bytes("x"));
    assertEquals(text(await within(server.recv(1))), "x");
  }
});

withPair(
  "the timeout of a socket ends a read of its stream",
  async (client, server) => {
    server.settimeout(0.02);
    const reader = server.readable.getReader();
    await assertRejects(
      () => within(reader.read()),
      TimeoutError,
      "timed out after 0.02 s",
    );
    await client.sendall(bytes("late"));
    server.settimeout(20);
    assertEquals(text(await server.recv(9)), "late");
  },
);

withPair(
  "the timeout of a socket ends a write of its stream",
  async (client) => {
    client.settimeout(0.05);
    const writer = client.writable.getWriter();
    await assertRejects(
      () => within(writer.write(new Uint8Array(MUCH))),
      TimeoutError,
    );
    await assertRejects(() => writer.closed, TimeoutError);
  },
);

Deno.test("a reset is a ConnectionResetError of the streams", async () => {
  const [socket, reset] = await within(tcpSocketAndReset());
  using _ = socket;
  const reader = socket.readable.getReader();
  const reading = codeOf(() => reader.read());
  await turn();
  reset();
  assertEquals(await reading, "ECONNRESET");
  const writer = socket.writable.getWriter();
  const thrown = await (async () => {
    for (;;) await writer.write(new Uint8Array(1000));
  })().catch((error) => error);
  assertInstanceOf(thrown, OSError);
});

withPair(
  "Socket.readable.cancel() closes the socket, also while a read waits",
  async (client, server) => {
    const reader = client.readable.getReader();
    const reading = reader.read();
    await turn();
    await within(reader.cancel());
    assertEquals((await within(reading)).done, true);
    assertEquals(client.fileno(), -1);
    assertEquals((await recvToEnd(server)).length, 0);
  },
);

withPair(
  "a break out of for await closes the socket unless the stream is to stay",
  async (client, server) => {
    await client.sendall(bytes("ab"));
    for await (const chunk of server.readable.values({ preventCancel: true })) {
      assertEquals(text(chunk), "ab");
      break;
    }
    await client.sendall(bytes("cd"));
    for await (const chunk of server.readable) {
      assertEquals(text(chunk), "cd");
      break;
    }
    assertEquals(server.fileno(), -1);
  },
);

withPair(
  "Socket.writable.abort() cuts the peer off, also while a write waits",
  async (client, server) => {
    const writer = client.writable.getWriter();
    const writing = writer.write(new Uint8Array(MUCH));
    const failed = assertRejects(() => writing);
    await turn();
    await within(writer.abort(new Error("enough")));
    await within(failed);
    await assertRejects(() => writer.closed, Error, "enough");
    assertEquals(client.fileno(), -1);
    const got = await within(recvToEnd(server)).catch(() => []);
    assertEquals(got.length < MUCH, true);
  },
);

withPair(
  "a source that fails aborts the connection it is piped to",
  async (client, server) => {
    const body = new ReadableStream({
      pull(controller) {
        controller.error(new Error("the source failed"));
      },
    });
    await assertRejects(
      () => within(body.pipeTo(client.writable)),
      Error,
      "the source failed",
    );
    assertEquals(client.fileno(), -1);
    await within(recvToEnd(server)).catch(() => {});
  },
);

withPair("close() ends a read of the stream with EBADF", async (client) => {
  const reader = client.readable.getReader();
  const reading = codeOf(() => reader.read());
  await turn();
  client.close();
  assertEquals(await reading, "EBADF");
  const writer = client.writable.getWriter();
  assertEquals(await codeOf(() => writer.write(bytes("x"))), "EBADF");
});

Deno.test("only a stream socket has streams, and only a connected one reads", async () => {
  using datagrams = udp();
  for (const get of [() => datagrams.readable, () => datagrams.writable]) {
    const error = assertThrows(
      get,
      OSError,
      "only a stream socket has streams",
    );
    assertEquals((error as OSError).code, "EOPNOTSUPP");
  }
  using socket = new Socket();
  assertEquals(
    await codeOf(() => socket.readable.getReader().read()),
    "ENOTCONN",
  );
  const writer = socket.writable.getWriter();
  assertEquals(await codeOf(() => writer.write(bytes("x"))), "EPIPE");
});

Deno.test("a socket is a pair for pipeThrough()", async () => {
  const [client, server] = await tcpPair();
  using _client = client;
  using _server = server;
  const echoing = server.readable.pipeTo(server.writable);
  const answer = ReadableStream.from([bytes("there "), bytes("and back")])
    .pipeThrough(client satisfies ReadableWritablePair);
  assertEquals(await within(new Response(answer).text()), "there and back");
  await within(echoing);
});

Deno.test({
  name: "ncat hears an answer after the end of its own side",
  ignore: !mayRun || !have("ncat"),
  async fn() {
    using listener = createServer(["127.0.0.1", 0]);
    const port = portOf(listener.getsockname());
    const asking = talk(
      "ncat",
      ["127.0.0.1", `${port}`],
      "hello ".repeat(10_000),
    );
    const [server]: [Socket, unknown] = await within(listener.accept());
    using _server = server;
    const whole = await within(new Response(server.readable).text()); // to its end
    await new Response(whole.toUpperCase()).body!.pipeTo(server.writable);
    assertEquals(await within(asking), "HELLO ".repeat(10_000));
  },
});
