import { ReceiveMemory } from "../../internal/socket/receive_memory.ts";
import {
  AF_INET,
  type Bytes,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_WAITALL,
  OSError,
  SOCK_DGRAM,
  socketpair,
  TimeoutError,
} from "../../socket.ts";
import { ReceiveBuffer } from "../../internal/socket/receive_buffer.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { FakeStream } from "../helpers/fakes.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

const SMALL = 1000;
const SLAB = 4096;
const LARGE = 65536;
const INSET = 48;
const USED = 8;

/** Reads once into memory of its own choice; gives what came, as its caller gets it, and the memory. */
function read(
  memory: ReceiveMemory,
  data: Bytes,
): [given: Bytes, target: Bytes] {
  const target = memory.next();
  target.set(data);
  memory.filled(target, data.length, false);
  return [memory.take(data.length), target];
}

/** Memory of a connection that is used. */
function usedMemory(): ReceiveMemory {
  const memory = new ReceiveMemory();
  for (let i = 0; i < USED; i++) read(memory, bytes("x"));
  return memory;
}

Deno.test("ReceiveMemory copies the first reads out of one small buffer", () => {
  const memory = new ReceiveMemory();
  const reads = Array.from({ length: USED }, () => read(memory, bytes("data")));
  for (const [given, target] of reads) {
    assertStrictEquals(target, reads[0][1]);
    assertEquals(given.buffer.byteLength, INSET + 4, "byteLength");
    assertEquals(text(given), "data", "text");
  }
  assertEquals(reads[0][1].length, SMALL);
});

Deno.test("ReceiveMemory gives views of a slab, no byte of which is written twice", () => {
  const memory = usedMemory();
  const given = Array.from(
    { length: 200 },
    (_, i) => read(memory, bytes(`message ${i}`.padEnd(64)))[0],
  );
  given.forEach((each, i) => assertEquals(text(each).trim(), `message ${i}`));
  assertEquals(given[0].buffer.byteLength, INSET + SLAB);
  assertEquals(new Set(given.map(({ buffer }) => buffer)).size, 5); // 49 in each
});

Deno.test("ReceiveMemory never offers less of a slab than a small buffer", () => {
  const memory = usedMemory();
  for (const size of [SLAB - SMALL, 1, SMALL - 1, SLAB - SMALL - 1, 1]) {
    const target = memory.next();
    assertEquals(target.length >= SMALL, true);
    memory.filled(target, size, false);
    memory.take(size);
    for (let i = 0; i < 4; i++) read(memory, bytes("x")); // not busy enough for a large one
  }
});

Deno.test("ReceiveMemory goes on if the program has transferred a slab", () => {
  const memory = usedMemory();
  const [first] = read(memory, bytes("first"));
  structuredClone(first, { transfer: [first.buffer] });
  const [second, target] = read(memory, bytes("second"));
  assertEquals(text(second), "second", "second");
  assertEquals(target.length, SLAB, "length");
});

Deno.test("Socket.recv() says so if the program has transferred the memory that it receives into", async () => {
  const [client, server] = await socketpair();
  using _client = client;
  using _server = server;
  const ask = async (data: string) => {
    await client.sendall(bytes(data));
    return await within(server.recv(9));
  };
  for (let i = 0; i < USED; i++) await ask("x");
  const one = await ask("one");
  const next = server.recv(9);
  structuredClone(one, { transfer: [one.buffer] });
  await client.sendall(bytes("lost"));
  const error = await assertRejects(() => within(next), OSError, "slice()");
  assertEquals(error.code, "EFAULT");
  assertEquals(text(await ask("two")), "two");
});

Deno.test("Socket.recv() rejects if the program has transferred the memory of what it has not given yet", async () => {
  const [client, server] = await socketpair();
  using _client = client;
  using _server = server;
  for (let i = 0; i < USED; i++) {
    await client.sendall(bytes("x"));
    await within(server.recv(9));
  }
  const rests: (() => Promise<unknown>)[] = [
    () => server.recv(9),
    () => server.recvInto(new Uint8Array(9)),
    () => server.recv(9, MSG_PEEK),
  ];
  for (const rest of rests) {
    await client.sendall(bytes("one and two"));
    const one = await within(server.recv(3));
    structuredClone(one, { transfer: [one.buffer] });
    const failed = rest(); // an exception here would end the test
    const error = await assertRejects(() => within(failed), OSError, "slice()");
    assertEquals(error.code, "EFAULT");
  }
  await client.sendall(bytes("three"));
  assertEquals(text(await within(server.recv(9))), "three");
});

Deno.test("ReceiveMemory lets 1,024 slabs wait, and has the small buffer for more", async () => {
  const used = Array.from({ length: USED }, () => bytes("x"));
  for (let run = 0; run < 2; run++) { // those of the first run are free again
    const fakes = Array.from({ length: 1100 }, () => new FakeStream(...used));
    for (const fake of fakes) {
      const buffer = new ReceiveBuffer(fake);
      for (const _ of used) await buffer.recv(9, null);
      buffer.nextChange();
    }
    const sizes = fakes.map((fake) => fake.sizes.at(-1));
    const slabs = sizes.filter((size) => size === SLAB).length;
    const small = sizes.filter((size) => size === SMALL).length;
    assertEquals({ slabs, small }, { slabs: 1024, small: 76 });
    for (const fake of fakes) fake.close();
    await turn();
  }
});

Deno.test("ReceiveMemory gives the large buffer away if most of it is full, and copies out of it else", () => {
  const memory = usedMemory();
  read(memory, new Uint8Array(SLAB));
  const [half, large] = read(memory, new Uint8Array(LARGE / 2));
  assertEquals(half.buffer.byteLength, INSET + LARGE / 2, "byteLength");
  assertEquals(large.length, LARGE, "length");
  const [most, again] = read(memory, new Uint8Array(LARGE / 2 + 1));
  assertStrictEquals(again, large);
  assertStrictEquals(most.buffer, large.buffer);
  const [whole, other] = read(memory, new Uint8Array(LARGE));
  assertStrictEquals(whole.buffer, other.buffer);
});

Deno.test("ReceiveMemory does not count reads into the memory of others", () => {
  const memory = new ReceiveMemory();
  const others = new Uint8Array(LARGE);
  memory.filled(others, LARGE, true);
  assertEquals(memory.takeInto(others), LARGE);
  assertEquals(memory.next().length, SMALL);
});

/** Fails unless `data` looks as what `recv` gives always does: a view that begins behind its buffer's beginning. */
function assertView(data: Uint8Array, what: string): void {
  assert(data.byteOffset > 0, `${what} begins with its buffer`);
  assert(data.length + data.byteOffset <= data.buffer.byteLength, what);
}

Deno.test("Socket.recv() and its relatives give views alike, from the first read on", async () => {
  const [client, server] = await socketpair();
  using _client = client;
  using _server = server;
  using file = server.makefile("rb");
  const calls: [string, (size: number) => Promise<Uint8Array>][] = [
    ["recv", (size) => server.recv(size)],
    ["MSG_PEEK", (size) => server.recv(size, MSG_PEEK)],
    ["MSG_WAITALL", (size) => server.recv(size, MSG_WAITALL)],
    ["recvfrom", async (size) => (await server.recvfrom(size))[0]],
    ["recv of a part", (size) => server.recv(Math.ceil(size / 2))],
    ["MSG_DONTWAIT", (size) => server.recv(size, MSG_DONTWAIT)],
    ["rfile.readexactly", (size) => file.readexactly(size)],
    ["rfile.peek", (size) => file.peek(size)],
    ["rfile.read1", () => file.read1()],
  ];
  // small ones, a slab, large ones, of which some are copied, and small ones again
  const sizes = [
    1,
    64,
    999,
    ...new Array(12).fill(64),
    5000,
    20_000,
    65_536,
    65_536,
    65_536,
    3,
    3,
    3,
    3,
    3,
    3,
  ];
  for (const [name, call] of calls) {
    for (const size of sizes) {
      const sent = client.sendall(new Uint8Array(size).fill(7));
      for (let left = size; left > 0;) {
        const data = await within(call(left));
        assertView(data, `${name} of ${size}`);
        assert(data.every((byte) => byte === 7));
        left -= data.length;
        if (name === "MSG_PEEK") await server.recv(data.length, MSG_WAITALL);
        if (name === "rfile.peek") await file.readexactly(data.length);
      }
      await sent;
    }
  }
});

Deno.test("Socket.recv() and its relatives give an empty array of its own at the end of the stream", async () => {
  const ends = async () => {
    const [client, server] = await socketpair();
    client.close();
    return server;
  };
  using first = await ends();
  const nothing = await within(first.recv(9));
  structuredClone(nothing, { transfer: [nothing.buffer] });
  using second = await ends();
  using file = second.makefile("rb");
  const results = [
    await within(second.recv(9)),
    await within(second.recv(9, MSG_WAITALL)),
    await within(file.read()),
    await within(file.readline()),
  ];
  for (const result of results) assertEquals(result, new Uint8Array(0));
});

Deno.test("Socket.recv() gives a view after a timeout and a part that was put back, too", async () => {
  const [client, server] = await socketpair();
  using _client = client;
  using _server = server;
  server.settimeout(0.01);
  await client.sendall(bytes("ab"));
  await assertRejects(() => within(server.recv(3, MSG_WAITALL)), TimeoutError);
  await client.sendall(bytes("cd"));
  server.settimeout(null);
  const data = await within(server.recv(9, MSG_DONTWAIT));
  assertView(data, "what was put back");
  assertEquals(text(data).slice(0, 2), "ab");
});

Deno.test("Socket.recvfrom() gives datagrams as views, from the first on", async () => {
  const [client, server] = await socketpair(AF_INET, SOCK_DGRAM);
  using _client = client;
  using _server = server;
  for (let i = 0; i < 20; i++) {
    await client.send(new Uint8Array(i % 2 === 0 ? 64 : 2000));
    assertView(await within(server.recv(9999)), `datagram ${i}`);
  }
});

Deno.test("Socket.recv() shows nothing of what another connection has sent", async () => {
  const secret = 0x5e;
  for (let round = 0; round < 4; round++) {
    for (
      const [fill, size, bufsize] of [[secret, 60_000, 999], [1, 40_000, 65536]]
    ) {
      const [client, server] = await socketpair();
      using _client = client;
      using _server = server;
      for (let i = 0; i < 12; i++) {
        const sent = client.sendall(new Uint8Array(size).fill(fill));
        for (let left = size; left > 0;) {
          const data = await within(server.recv(bufsize));
          left -= data.length;
          if (fill === secret) continue;
          assertEquals(new Uint8Array(data.buffer).includes(secret), false);
        }
        await sent;
      }
    }
  }
});
