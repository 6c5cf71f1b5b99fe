import { DatagramMemory } from "../../internal/socket/datagram_memory.ts";
import { jobFor } from "../../internal/children/child_job.ts";
import { AF_INET, type Bytes, SOCK_DGRAM, Socket } from "../../socket.ts";
import { assertEquals, assertNotStrictEquals } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { within } from "../helpers/within.ts";

const SLAB = 4096;
const INSET = 48;
const USED = 8;
const PLACES = 64;

/** Returns the copy of a datagram of a peer, after overwriting the received one. */
function receive(
  memory: DatagramMemory,
  data: Bytes,
  port = 4000,
  hostname = "127.0.0.1",
): Bytes {
  const copy = memory.copy(data, { transport: "udp", hostname, port });
  data.fill(0);
  return copy;
}

/** Returns a memory to which these ports have sent often. */
function usedBy(...ports: number[]): DatagramMemory {
  const memory = new DatagramMemory();
  for (const port of ports) {
    for (let i = 0; i < USED; i++) receive(memory, bytes("x"), port);
  }
  return memory;
}

Deno.test("DatagramMemory copies the first datagrams of a peer to memory of their own", () => {
  const memory = new DatagramMemory();
  for (let i = 0; i < USED; i++) {
    const given = receive(memory, bytes("data"));
    assertEquals(given.buffer.byteLength, INSET + 4, "byteLength");
    assertEquals(text(given), "data", "text");
  }
});

Deno.test("DatagramMemory returns views of a slab for a busy peer, and writes no byte twice", () => {
  const memory = usedBy(4000);
  const given = Array.from(
    { length: 200 },
    (_, i) => receive(memory, bytes(`message ${i}`.padEnd(64))),
  );
  given.forEach((each, i) => assertEquals(text(each).trim(), `message ${i}`));
  assertEquals(given[0].buffer.byteLength, INSET + SLAB);
  assertEquals(new Set(given.map(({ buffer }) => buffer)).size, 4); // 64 in each
});

Deno.test("DatagramMemory keeps the datagrams of each peer in its own slabs", () => {
  const ports = [4000, 4001];
  const memory = usedBy(...ports);
  const buffers = ports.map(() => new Set<ArrayBuffer>());
  for (let i = 0; i < 100; i++) {
    ports.forEach((port, p) =>
      buffers[p].add(receive(memory, bytes("x".padEnd(64)), port).buffer)
    );
  }
  assertEquals(buffers[0].size, 2);
  assertEquals(buffers[0].isDisjointFrom(buffers[1]), true);
});

Deno.test("DatagramMemory starts a new slab if two peers share a place", () => {
  for (const [port, host] of [[4000 + PLACES, "127.0.0.1"], [4000, "::1"]]) {
    const memory = usedBy(4000);
    assertEquals(receive(memory, bytes("x")).buffer.byteLength, INSET + SLAB);
    const other = receive(memory, bytes("y"), port as number, host as string);
    assertEquals(other.buffer.byteLength, INSET + 1);
    assertEquals(receive(memory, bytes("x")).buffer.byteLength, INSET + 1);
  }
});

Deno.test("DatagramMemory copies large datagrams, and those of Unix peers, to memory of their own", () => {
  const memory = usedBy(4000);
  assertEquals(
    receive(memory, new Uint8Array(1025)).buffer.byteLength,
    INSET + 1025,
  );
  for (const path of [null, "/a"]) {
    for (let i = 0; i <= USED; i++) {
      const given = memory.copy(bytes("x"), { transport: "unixpacket", path });
      assertEquals(given.buffer.byteLength, INSET + 1);
    }
  }
});

Deno.test("DatagramMemory continues after a program has transferred a slab", () => {
  const memory = usedBy(4000);
  const first = receive(memory, bytes("first"));
  structuredClone(first, { transfer: [first.buffer] });
  const second = receive(memory, bytes("second"));
  assertEquals(text(second), "second", "second");
  assertEquals(second.buffer.byteLength, INSET + SLAB, "byteLength");
});

Deno.test("Socket.recvfrom() truncates a datagram before it is copied", async () => {
  using server = new Socket(AF_INET, SOCK_DGRAM);
  using client = new Socket(AF_INET, SOCK_DGRAM);
  server.bind(["127.0.0.1", 0]);
  let last: Bytes | undefined;
  for (let i = 0; i <= USED + 1; i++) {
    await client.sendto(
      bytes("abcdef"),
      server.getsockname() as [string, number],
    );
    const [data] = await within(server.recvfrom(3));
    assertEquals(text(data), "abc");
    if (i === USED) last = data;
    if (i > USED) assertEquals(data.byteOffset - last!.byteOffset, 3);
  }
});

Deno.test("A child process receives a datagram without the rest of its slab", () => {
  using socket = new Socket(AF_INET, SOCK_DGRAM);
  socket.bind(["127.0.0.1", 0]);
  const packet = new Uint8Array(SLAB).fill(7).subarray(64, 128);
  const { message } = jobFor([packet, socket], ["127.0.0.1", 4000], {});
  const sent = (message as { packet: Bytes }).packet;
  assertNotStrictEquals(sent.buffer, packet.buffer);
  assertEquals(sent.length, 64, "length");
  assertEquals(sent.buffer.byteLength, 64, "byteLength");
});
