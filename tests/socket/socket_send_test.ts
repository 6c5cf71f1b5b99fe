import { Buffer } from "node:buffer";
import { MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL, SHUT_WR } from "../../socket.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
} from "../deps.ts";
import { bytes, concat, digest, seeded, text } from "../helpers/bytes.ts";
import { recvToEnd, udp, withPair } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

const MIB = 1024 * 1024;

/** Bytes with a random one here and there: many of them are soon made. */
function sparse(length: number, random: (below: number) => number): Uint8Array {
  const data = new Uint8Array(length);
  for (let i = 0; i < length; i += 997) data[i] = random(256);
  return data;
}

withPair(
  "Socket.send() and sendmsg() with no timeout take all",
  async (client, server) => {
    const data = sparse(16 * MIB, seeded(1));
    const sent = client.send(data).then((count) => [count]);
    const last = client.sendmsg([data, bytes("end")]);
    assertEquals(await Promise.race([sent, turn().then(() => 0)]), 0); // nobody reads yet
    client.shutdown(SHUT_WR);
    const received = await recvToEnd(server);
    assertEquals(await within(sent), [data.length]);
    assertEquals(await within(last), data.length + 3);
    assertEquals(
      digest(received),
      digest(concat([data, data, bytes("end")])),
    );
  },
);

withPair(
  "Socket.send() with a timeout copies what it has accepted, from a Buffer too",
  async (client, server) => {
    for (const data of [new Uint8Array(MIB).fill(1), Buffer.alloc(MIB, 1)]) {
      client.settimeout(0.05);
      let sent = 0;
      const fill = async () => {
        for (;;) sent += await client.send(data);
      };
      assertEquals(await codeOf(fill), "ETIMEDOUT");
      data.fill(2); // the caller's again
      const received = await within(server.recv(sent, MSG_WAITALL));
      assertEquals(received.indexOf(2), -1, data.constructor.name);
    }
  },
);

for (
  const [how, timeout, flags] of [
    ["a timeout", 5, 0],
    ["timeout 0", 0, 0],
    ["MSG_DONTWAIT", null, MSG_DONTWAIT],
  ] as const
) {
  withPair(
    `Socket.send() and sendmsg() with ${how} take a part, and say how much`,
    async (client, server) => {
      const data = sparse(16 * MIB, seeded(1));
      client.settimeout(timeout);
      const first = await within(client.send(data, flags)); // nobody reads
      const second = await within(
        client.sendmsg([data.subarray(first, first + 9)], [], flags),
      );
      assertGreater(first, 0);
      assertLess(first, data.length);
      assertEquals(second, 9);
      client.shutdown(SHUT_WR);
      assertEquals(
        digest(await recvToEnd(server)),
        digest(data.subarray(0, first + 9)),
      );
    },
  );
}

withPair(
  "Socket.send() and sendall() take any bytes, and none",
  async (client, server) => {
    assertEquals(await client.send(new Uint8Array(0)), 0);
    await client.sendall(new Uint8Array(0));
    const letters = bytes("abcdef");
    assertEquals(await client.send(new DataView(letters.buffer, 1, 2)), 2);
    await client.sendall(letters.buffer);
    const shared = new Uint8Array(new SharedArrayBuffer(2)).fill(46);
    await client.sendall(shared.buffer);
    await client.sendall(new Uint16Array([0x2b2b]));
    await client.shutdown(SHUT_WR);
    assertEquals(text(await recvToEnd(server)), "bcabcdef..++");
  },
);

withPair(
  "Socket.send() and sendall() refuse what is no bytes, and name it",
  async (client) => {
    const string = "text" as unknown as Uint8Array;
    const number = 5 as unknown as Uint8Array;
    await assertRejects(
      () => client.send(string),
      TypeError,
      "Cannot send: data must be bytes, got string; encode it first",
    );
    await assertRejects(
      () => client.sendall(number),
      TypeError,
      "Cannot sendall: data must be bytes, got number",
    );
    await assertRejects(
      () => client.sendmsg([bytes("x"), string]),
      TypeError,
      "Cannot sendmsg: data must be bytes, got string",
    );
  },
);

withPair(
  "Socket.send() and its kin refuse flags that cannot work, and name them",
  async (client) => {
    const data = bytes("x");
    const calls = [
      () => client.send(data, MSG_PEEK),
      () => client.sendall(data, MSG_PEEK),
      () => client.sendmsg([data], [], MSG_PEEK),
      () => client.sendto(data, MSG_PEEK, ["127.0.0.1", 1]),
    ];
    for (const call of calls) {
      await assertRejects(
        call,
        RangeError,
        "the flag MSG_PEEK does not work in Deno",
      );
    }
    await assertRejects(
      () => client.send(data, 0x8000),
      RangeError,
      "MSG_MORE",
    );
    assertEquals(await client.send(data, 0x4000), 1); // MSG_NOSIGNAL
  },
);

withPair("Socket.sendto() on a stream is refused", async (client) => {
  assertEquals(
    await codeOf(() => client.sendto(bytes("x"), ["127.0.0.1", 1])),
    "EISCONN",
  );
});

withPair(
  "Socket.sendall() waits for a slow reader and loses nothing",
  async (client, server) => {
    const random = seeded(3);
    const data = sparse(50 * MIB, random);
    let done = false;
    const sent = client.sendall(data).then(() => done = true);
    for (let i = 0; i < 5; i++) await turn();
    assertEquals(done, false); // no system holds that much
    const pieces: Uint8Array[] = [];
    for (let left = data.length; left > 0;) {
      pieces.push(await within(server.recv(1 + random(100_000))));
      left -= pieces.at(-1)!.length;
    }
    await within(sent);
    assertEquals(digest(concat(pieces)), digest(data));
  },
);

withPair(
  "Socket.sendall() keeps a thousand calls that nobody awaits in order",
  async (client, server) => {
    const random = seeded(4);
    const pieces = Array.from(
      { length: 1000 },
      (_, i) => new Uint8Array(random(20_000)).fill(i),
    );
    for (const piece of pieces) {
      client.sendall(piece);
    }
    client.shutdown(SHUT_WR);
    assertEquals(digest(await recvToEnd(server)), digest(concat(pieces)));
  },
);

withPair(
  "Socket.sendall() from many tasks never interleaves",
  async (client, server) => {
    const size = MIB; // more than one write takes
    const tasks = Array.from(
      { length: 8 },
      (_, i) => client.sendall(new Uint8Array(size).fill(i)),
    );
    tasks.push(
      Promise.all(tasks).then(() => client.shutdown(SHUT_WR)),
    );
    const received = await recvToEnd(server);
    await within(Promise.all(tasks));
    assertEquals(received.length, 8 * size);
    for (let i = 0; i < 8; i++) {
      assert(
        received.subarray(i * size, (i + 1) * size).every((byte) => byte === i),
      );
    }
  },
);

withPair(
  "Socket.send() waits for the calls of sendall() before it",
  async (client, server) => {
    client.sendall(new Uint8Array(5 * MIB));
    const sent = client.send(bytes("end"));
    let received = 0;
    let last = bytes("");
    while (received < 5 * MIB + 3) {
      last = await within(server.recv(65536));
      received += last.length;
    }
    assertEquals(await within(sent), 3, "sent");
    assertEquals(text(last).endsWith("end"), true, "endsWith");
  },
);

withPair("Socket.sendmsg() gathers buffers", async (client, server) => {
  const parts = [
    bytes("ab"),
    new Uint8Array(0),
    bytes("cd").buffer,
    new DataView(bytes("ef").buffer),
  ];
  assertEquals(await client.sendmsg(new Set(parts)), 6);
  assertEquals(await client.sendmsg([]), 0);
  assertEquals(await client.sendmsg([bytes("g")], [], MSG_DONTWAIT), 1);
  await client.shutdown(SHUT_WR);
  assertEquals(text(await recvToEnd(server)), "abcdefg");
  assertEquals(
    await codeOf(() => client.sendmsg([bytes("x")], [1])),
    "EOPNOTSUPP",
  );
});

withPair(
  "Socket.sendmsg() takes iterables of any kind, and no address",
  async (client, server) => {
    function* each<T>(...items: T[]) {
      yield* items;
    }
    assertEquals(
      await client.sendmsg(each(bytes("ab"), bytes("c")), each()),
      3,
    );
    const none = null as unknown as undefined; // Python's None
    assertEquals(await client.sendmsg([bytes("d")], [], 0, none), 1);
    assertEquals(
      await codeOf(() => client.sendmsg([bytes("x")], each(1))),
      "EOPNOTSUPP",
    );
    client.close();
    assertEquals(text(await recvToEnd(server)), "abcd");
  },
);

withPair(
  "Socket.sendmsg() with a timeout or MSG_DONTWAIT throws if nobody reads",
  async (client, server) => {
    const piece = new Uint8Array(512).fill(97);
    let sent = 0;
    const fill = async (flags: number) => {
      for (;;) sent += await client.sendmsg([piece], [], flags);
    };
    assertEquals(await codeOf(() => fill(MSG_DONTWAIT)), "EAGAIN");
    client.settimeout(0.03);
    assertEquals(await codeOf(() => fill(0)), "ETIMEDOUT");
    assertEquals(await within(server.recv(512)), piece);
    client.close();
    assertEquals((await recvToEnd(server)).length, sent - 512);
  },
);

withPair(
  "Socket.sendmsg() refuses what is no iterable of bytes, and names it",
  async (client, server) => {
    // deno-fmt-ignore
    const rows: [unknown[], string][] = [
    [[], "buffers must be iterable, got undefined"],
    [[5], "buffers must be iterable, got number"],
    [[{}], "buffers must be iterable, got object"],
    [[bytes("no list of buffers")], "data must be bytes, got number"],
    [[[{}]], "data must be bytes, got object"],
    [[[bytes("x"), {}]], "data must be bytes, got object"],
    [[[bytes("x")], {}], "ancdata must be iterable, got object"],
    [[[bytes("x")], [], "0"], "flags must be an integer, got 0"],
    [[[bytes("x")], [], 0, {}], "the address must be [host, port]"],
  ];
    const loose = client.sendmsg.bind(client) as (
      ...args: unknown[]
    ) => Promise<number>;
    for (const [args, message] of rows) {
      await assertRejects(() => loose(...args), TypeError, message);
    }
    client.close();
    assertEquals(text(await recvToEnd(server)), "");
  },
);

Deno.test("Socket.sendmsg() sends one datagram, to an address too", async () => {
  using receiver = udp();
  using sender = udp();
  const address = receiver.getsockname();
  assertEquals(
    await sender.sendmsg([bytes("ab"), bytes("cd")], [], 0, address),
    4,
  );
  assertEquals(await within(receiver.recvfrom(10)), [
    bytes("abcd"),
    sender.getsockname(),
  ]);
});
