/** The promise that a timeout and a call that does not wait lose nothing, tried out with random ones. */

import {
  BlockingIOError,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_WAITALL,
  select,
  SHUT_WR,
  Socket,
  type StreamTransport,
  TimeoutError,
  type TransportAddr,
} from "../../socket.ts";
import { assertEquals, assertGreater, delay } from "../deps.ts";
import {
  bytes,
  concat,
  digest,
  randomBytes,
  seeded,
} from "../helpers/bytes.ts";
import { listen, tcpPair, udp } from "../helpers/sockets.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

const SIZE = 1024 * 1024;
type Random = (below: number) => number;

/** How often a call had to be tried again. */
const retries = { send: 0, recv: 0 };

/** The result of a call, or undefined where the call is to be tried again. */
async function tried<T>(
  kind: keyof typeof retries,
  call: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    const again = error instanceof TimeoutError ||
      error instanceof BlockingIOError;
    if (!again) throw error;
    retries[kind]++;
  }
}

/** Sets a timeout that is short, very short, none at all, or 0. */
function setRandomTimeout(socket: Socket, random: Random): void {
  socket.settimeout([0, 0.0001, 0.001, 0.002, null][random(5)]);
}

/** Sends all of `data` in random pieces. */
async function sendAtRandom(
  socket: Socket,
  data: Uint8Array,
  random: Random,
): Promise<void> {
  for (let at = 0; at < data.length;) {
    setRandomTimeout(socket, random);
    const piece = data.subarray(at, at + 1 + random(random(2) ? 100 : 100_000));
    const flags = random(4) === 0 ? MSG_DONTWAIT : 0;
    at += await tried("send", () => socket.send(piece, flags)) ?? 0;
  }
  socket.settimeout(null);
  await socket.shutdown(SHUT_WR);
}

/** Receives to the end of the stream, in random ways. */
async function receiveAtRandom(
  socket: Socket,
  random: Random,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    setRandomTimeout(socket, random);
    const size = 1 + random([10, 1000, 5000, 70_000][random(4)]);
    const flags = random(4) === 0 ? MSG_DONTWAIT : 0;
    const way = random(5);
    const piece = await tried("recv", async () => {
      if (way === 0) {
        const memory = new Uint8Array(size);
        return memory.subarray(0, await socket.recvInto(memory, 0, flags));
      }
      if (way === 1) return await socket.recv(size, flags | MSG_WAITALL);
      if (way > 2) return await socket.recv(size, flags);
      const peeked = await socket.recv(size, flags | MSG_PEEK);
      const taken = await socket.recv(peeked.length || 1);
      assertEquals(digest(taken), digest(peeked));
      return taken;
    });
    if (piece?.length === 0) return concat(pieces);
    if (piece !== undefined) pieces.push(piece);
    else await pause(random); // what was given up goes on meanwhile
  }
}

/** Does nothing for a random time. */
async function pause(random: Random): Promise<void> {
  const kind = random(16);
  if (kind < 2) await delay(random(4));
  else if (kind < 8) await turn();
}

/** Sends a megabyte in each direction at once. */
async function exchange([a, b]: [Socket, Socket], seed: number): Promise<void> {
  using _a = a;
  using _b = b;
  const random = seeded(seed);
  const [fromA, fromB] = [randomBytes(SIZE, random), randomBytes(SIZE, random)];
  // Each task has numbers of its own, so that the order of events does not change them.
  const [, atB, , atA] = await within(Promise.all([
    sendAtRandom(a, fromA, seeded(seed + 1)),
    receiveAtRandom(b, seeded(seed + 2)),
    sendAtRandom(b, fromB, seeded(seed + 3)),
    receiveAtRandom(a, seeded(seed + 4)),
  ]));
  assertEquals(digest(atB), digest(fromA), "from a to b");
  assertEquals(digest(atA), digest(fromB), "from b to a");
}

/** A connection that takes and gives random parts of what was asked, after random pauses. */
class Fitful implements StreamTransport {
  readonly #conn: Deno.Conn;
  readonly #random: Random;

  constructor(conn: Deno.Conn, random: Random) {
    this.#conn = conn;
    this.#random = random;
  }

  get localAddr(): TransportAddr {
    return this.#conn.localAddr as Deno.NetAddr;
  }

  get remoteAddr(): TransportAddr {
    return this.#conn.remoteAddr as Deno.NetAddr;
  }

  async read(p: Uint8Array): Promise<number | null> {
    await pause(this.#random);
    const size = this.#random(8) === 0 ? 0 : 1 + this.#random(p.length);
    return size === 0 ? 0 : await this.#conn.read(p.subarray(0, size));
  }

  async write(p: Uint8Array): Promise<number> {
    await pause(this.#random);
    return await this.#conn.write(p.subarray(0, this.#random(20_000)));
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }
}

/** Two ends of a connection that is {@linkcode Fitful} at both. */
async function fitfulPair(random: Random): Promise<[Socket, Socket]> {
  const [client, server] = await tcpPair();
  const [a, b] = [client, server].map((socket) =>
    Socket.from(new Fitful(socket.detach() as Deno.Conn, random))
  );
  return [a, b];
}

/** Whether calls had to be tried again often enough for {@linkcode exchange} to have tested that. */
const enough = (): boolean => retries.send > 3 && retries.recv > 10;

for (const seed of [1, 20, 300, 4000]) {
  Deno.test(`Socket loses nothing to timeouts and calls that do not wait, seed ${seed}`, async () => {
    retries.send = retries.recv = 0;
    // How many depends on time: enough that giving up was tried, with more data where it was not.
    for (let round = 0; round < 10 && !enough(); round++) {
      const own = seed + round * 10;
      await exchange(await fitfulPair(seeded(own)), own);
    }
    assertGreater(retries.send, 3);
    assertGreater(retries.recv, 10);
  });
}

Deno.test("Socket over plain TCP loses nothing to timeouts and calls that do not wait", async () => {
  await exchange(await tcpPair(), 5);
});

Deno.test("Socket that was bound before it connected loses nothing either", async () => {
  using listener = listen();
  const client = new Socket();
  client.bind(["127.0.0.1", 0]);
  await client.connect(listener.getsockname());
  const [server] = await within(listener.accept());
  await exchange([client, server], 50_000);
});

Deno.test("Socket.accept() and recvfrom() lose nothing to timeouts and calls that do not wait", async () => {
  const random = seeded(7);
  using listener = listen();
  using receiver = udp();
  using sender = udp();
  for (let i = 0; i < 30; i++) {
    for (const socket of [listener, receiver]) {
      socket.settimeout([0, 0.0001, 0.001][random(3)]);
    }
    await tried("recv", () => listener.accept());
    await tried("recv", () => receiver.recvfrom(100));
    using client = new Socket();
    await client.connect(listener.getsockname());
    await sender.sendto(bytes(`datagram ${i}`), receiver.getsockname());
    await within(select([listener], [], []));
    await within(select([receiver], [], []));
    for (const socket of [listener, receiver]) socket.setblocking(false);
    const [server, peer] = await listener.accept();
    server.close();
    assertEquals(peer, client.getsockname());
    assertEquals(await receiver.recv(100), bytes(`datagram ${i}`));
  }
});
