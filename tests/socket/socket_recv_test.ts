import {
  ConnectionResetError,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_WAITALL,
  Socket,
} from "../../socket.ts";
import { assertEquals, assertInstanceOf, assertRejects } from "../deps.ts";
import {
  type Bytes,
  bytes,
  concat,
  cut,
  digest,
  randomBytes,
  seeded,
  text,
} from "../helpers/bytes.ts";
import { FakeStream } from "../helpers/fakes.ts";
import { tcpSocketAndReset, withPair } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

withPair(
  "Socket.recv() gives at most as many bytes as asked for, and keeps the rest",
  async (client, server) => {
    await client.sendall(bytes("hello world"));
    assertEquals(text(await within(server.recv(1))), "h");
    assertEquals(text(await within(server.recv(4))), "ello");
    assertEquals(text(await within(server.recv(1_000_000))), " world");
  },
);

withPair(
  "Socket.recv() is empty at the end of the stream, again and again",
  async (client, server) => {
    await client.sendall(bytes("last"));
    client.close();
    assertEquals(text(await within(server.recv(10))), "last");
    for (let i = 0; i < 3; i++) {
      assertEquals(
        await within(server.recv(10)),
        bytes(""),
      );
    }
    assertEquals(await server.recvInto(new Uint8Array(4)), 0);
    assertEquals(await server.recv(4, MSG_PEEK), bytes(""));
    assertEquals(await server.recv(4, MSG_WAITALL), bytes(""));
  },
);

withPair(
  "Socket.recv() of 0 bytes takes nothing and does not wait",
  async (client, server) => {
    assertEquals(await within(server.recv(0)), bytes(""));
    await client.sendall(bytes("x"));
    assertEquals(await within(server.recv(0)), bytes(""));
    assertEquals(text(await within(server.recv(1))), "x");
  },
);

withPair(
  "Socket.recv() gives memory that is the caller's",
  async (client, server) => {
    await client.sendall(bytes("abcd"));
    const first = await within(server.recv(2));
    const second = await within(server.recv(2));
    await client.sendall(bytes("efgh"));
    await within(server.recv(4));
    assertEquals(text(first), "ab", "first");
    assertEquals(text(second), "cd", "second");
  },
);

withPair(
  "Socket.recv() serves calls that wait in their order",
  async (client, server) => {
    const waiting = [server.recv(2), server.recv(2), server.recv(2)];
    await client.sendall(bytes("aabbcc"));
    assertEquals((await within(Promise.all(waiting))).map(text), [
      "aa",
      "bb",
      "cc",
    ]);
  },
);

withPair(
  "Socket.recv() refuses sizes that are none, and names them",
  async (_, server) => {
    for (const size of [1.5, NaN, Infinity, "5" as unknown as number]) {
      await assertRejects(
        () => server.recv(size),
        TypeError,
        `bufsize must be an integer, got ${size}`,
      );
    }
    await assertRejects(
      () => server.recv(-1),
      RangeError,
      "bufsize must not be negative, got -1",
    );
  },
);

withPair(
  "Socket.recv() refuses flags that cannot work, and names them",
  async (_, server) => {
    // deno-fmt-ignore
    const rows: [number, string][] = [
    [0x1, "MSG_OOB"], [0x20, "MSG_TRUNC"], [0x2000 | MSG_PEEK, "MSG_ERRQUEUE"], [0x40000000, "0x40000000"],
  ];
    for (const [flags, name] of rows) {
      await assertRejects(
        () => server.recv(1, flags),
        RangeError,
        `Cannot recv: the flag ${name} does not work in Deno`,
      );
    }
    await assertRejects(
      () => server.recv(1, 0.5),
      TypeError,
      "flags must be an integer, got 0.5",
    );
  },
);

withPair(
  "Socket.recv() with MSG_PEEK leaves the data",
  async (client, server) => {
    const peeked = server.recv(3, MSG_PEEK); // it waits
    await client.sendall(bytes("hello"));
    assertEquals(text(await within(peeked)), "hel");
    assertEquals(text(await server.recv(99, MSG_PEEK)), "hello");
    assertEquals(text(await server.recv(2, MSG_PEEK | MSG_DONTWAIT)), "he");
    assertEquals(text(await server.recv(99)), "hello");
  },
);

withPair(
  "Socket.recv() with MSG_WAITALL waits for all bytes",
  async (client, server) => {
    const all = server.recv(300_000, MSG_WAITALL);
    const data = randomBytes(300_000, seeded(1));
    for (const piece of cut(data, seeded(2), 20_000)) {
      await client.sendall(
        piece,
      );
    }
    assertEquals(digest(await within(all)), digest(data));
  },
);

withPair(
  "Socket.recv() with MSG_WAITALL gives fewer bytes at the end of the stream",
  async (client, server) => {
    const all = server.recv(10, MSG_WAITALL);
    await client.sendall(bytes("abc"));
    client.close();
    assertEquals(text(await within(all)), "abc");
  },
);

withPair(
  "Socket.recv() with MSG_WAITALL loses nothing to a timeout",
  async (client, server) => {
    server.settimeout(0.02);
    await client.sendall(bytes("abc"));
    for (let i = 0; i < 3; i++) {
      assertEquals(
        await codeOf(() => server.recv(6, MSG_WAITALL)),
        "ETIMEDOUT",
      );
    }
    server.settimeout(null);
    const all = server.recv(6, MSG_WAITALL);
    await client.sendall(bytes("defg"));
    assertEquals(text(await within(all)), "abcdef");
    assertEquals(text(await within(server.recv(6))), "g");
  },
);

Deno.test("Socket.recv() with MSG_WAITALL loses nothing of what comes between two calls", async () => {
  const late = Promise.withResolvers<Bytes>();
  using socket = Socket.from(new FakeStream(bytes("abc"), late.promise));
  socket.settimeout(0.01);
  assertEquals(await codeOf(() => socket.recv(6, MSG_WAITALL)), "ETIMEDOUT");
  late.resolve(bytes("def"));
  await turn(); // the read that the timeout left behind ends, with nobody waiting
  assertEquals(text(await socket.recv(6, MSG_WAITALL)), "abcdef");
});

withPair(
  "Socket.recv() with MSG_DONTWAIT gives what is there, or throws",
  async (client, server) => {
    assertEquals(await codeOf(() => server.recv(5, MSG_DONTWAIT)), "EAGAIN");
    await client.sendall(bytes("abc"));
    await within(server.recv(1, MSG_PEEK));
    assertEquals(text(await server.recv(5, MSG_DONTWAIT | MSG_WAITALL)), "abc");
    assertEquals(
      await codeOf(() => server.recv(5, MSG_DONTWAIT | MSG_WAITALL)),
      "EAGAIN",
    );
    assertEquals(server.gettimeout(), null, "timeout");
    assertEquals(server.getblocking(), true, "blocking");
  },
);

withPair(
  "Socket.recvInto() fills the caller's memory",
  async (client, server) => {
    const memory = new Uint8Array(8).fill(46);
    const waiting = server.recvInto(memory); // straight
    await client.sendall(bytes("abcdefgh+rest"));
    const count = await within(waiting);
    assertEquals(text(memory.subarray(0, count)), "abcdefgh".slice(0, count));
    assertEquals(
      text(await recvExactly(server, 13 - count)),
      "abcdefgh+rest".slice(count),
    );
  },
);

withPair(
  "Socket.recvInto() takes what is buffered, nbytes and any view",
  async (client, server) => {
    await client.sendall(bytes("abcdefgh"));
    await within(server.recv(8, MSG_PEEK)); // now it is buffered
    const memory = new Uint8Array(8).fill(46);
    assertEquals(await server.recvInto(memory.subarray(1), 3), 3);
    assertEquals(await server.recvInto(memory.subarray(5, 7)), 2);
    assertEquals(text(memory), ".abc.de.");
    const words = new Uint16Array(1);
    assertEquals(await server.recvInto(words, 0, MSG_PEEK), 2);
    assertEquals(await server.recvInto(words.buffer), 2);
    assertEquals(text(new Uint8Array(words.buffer)), "fg");
    assertEquals(
      await server.recvInto(new Uint8Array(new SharedArrayBuffer(4))),
      1,
    );
    assertEquals(await within(server.recvInto(new Uint8Array(0))), 0);
  },
);

withPair(
  "Socket.recvInto() refuses what does not fit, and names it",
  async (_, server) => {
    const memory = new Uint8Array(4);
    await assertRejects(
      () => server.recvInto(memory, 5),
      RangeError,
      "nbytes is 5, the buffer holds 4",
    );
    await assertRejects(
      () => server.recvInto(memory, -1),
      RangeError,
      "nbytes must not be negative, got -1",
    );
    await assertRejects(
      () => server.recvfromInto(memory, 1024),
      RangeError,
      "nbytes is 1024, the buffer holds 4",
    );
    const noBytes = "text" as unknown as Uint8Array;
    await assertRejects(
      () => server.recvInto(noBytes),
      TypeError,
      "data must be bytes, got string",
    );
  },
);

withPair(
  "Socket.recvInto() keeps what comes after a timeout",
  async (client, server) => {
    server.settimeout(0.01);
    const memory = new Uint8Array(4);
    assertEquals(await codeOf(() => server.recvInto(memory)), "ETIMEDOUT");
    server.settimeout(20);
    const waiting = server.recvInto(memory);
    await client.sendall(bytes("abcdef"));
    assertEquals(await within(waiting), 4);
    assertEquals(text(memory), "abcd");
    assertEquals(text(await server.recv(4)), "ef");
  },
);

withPair(
  "Socket.recvfrom() and recvfromInto() tell no sender on a stream",
  async (client, server) => {
    await client.sendall(bytes("abcd"));
    const [data, sender] = await within(server.recvfrom(2));
    assertEquals({ data: text(data), sender }, { data: "ab", sender: null });
    assertEquals(await server.recvfromInto(new Uint8Array(0)), [0, null]);
    const memory = new Uint8Array(2);
    assertEquals(await within(server.recvfromInto(memory)), [2, null]);
    assertEquals(text(memory), "cd");
  },
);

Deno.test("Socket.recv() throws ConnectionResetError once, and sendall() BrokenPipeError", async () => {
  const [client, reset] = await tcpSocketAndReset();
  using _ = client;
  const waiting = client.recv(10);
  reset();
  const error = await assertRejects(
    () => within(waiting),
    ConnectionResetError,
  );
  assertEquals(error.code, "ECONNRESET", "code");
  assertEquals(error.syscall, "recv", "syscall");
  assertInstanceOf(error.cause, Deno.errors.ConnectionReset);
  assertEquals(await within(client.recv(10)), bytes(""));
  client.sendall(
    bytes("nobody awaits this, and its rejection is not unhandled"),
  );
  assertEquals(await codeOf(() => client.sendall(bytes("x"))), "EPIPE");
  assertEquals(await codeOf(() => client.send(bytes("x"))), "EPIPE");
});

Deno.test("Socket.recv() with MSG_WAITALL loses nothing to a reset", async () => {
  const [client, reset] = await tcpSocketAndReset();
  using _ = client;
  using fake = Socket.from(
    new FakeStream(bytes("abc"), new Deno.errors.ConnectionReset("reset")),
  );
  assertEquals(await codeOf(() => fake.recv(6, MSG_WAITALL)), "ECONNRESET");
  assertEquals(text(await fake.recv(6)), "abc");
  const waiting = client.recv(6, MSG_WAITALL);
  reset();
  assertEquals(await codeOf(() => waiting), "ECONNRESET");
});

async function recvExactly(socket: Socket, size: number): Promise<Uint8Array> {
  const pieces = [await within(socket.recv(size))];
  for (let left; (left = size - concat(pieces).length) > 0;) {
    pieces.push(await within(socket.recv(left)));
  }
  return concat(pieces);
}
