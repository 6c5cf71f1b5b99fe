import {
  AF_UNIX,
  SOCK_DGRAM,
  Socket,
  socketpair,
  type TransportAddr,
} from "../../../socket.ts";
import type { DenoDatagramConn } from "../../../internal/runtime/deno/deno_datagram.ts";
import { UnixDatagram } from "../../../internal/runtime/unix/unix_datagram.ts";
import { assertEquals, assertRejects } from "../../deps.ts";
import { haveUnix, unstableNet } from "../../helpers/allowed.ts";
import { type Bytes, bytes, text } from "../../helpers/bytes.ts";
import { codesOf } from "../../helpers/thrown.ts";
import { turn } from "../../helpers/turns.ts";
import { within } from "../../helpers/within.ts";

const addrOf = (path: string): TransportAddr => ({
  transport: "unixpacket",
  path,
});

/** Where a path leads, if it is a symbolic link. */
function followed(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return path;
  }
}

/** Unix datagram sockets in memory, by path, each of which does one thing at a time, as Deno's. */
class FakeConn implements DenoDatagramConn {
  static readonly open = new Map<string, FakeConn>();
  readonly addr: TransportAddr;
  readonly #queue: [Bytes, TransportAddr][] = [];
  #receiver: PromiseWithResolvers<void> | undefined;
  #closed = false;

  constructor(path: string) {
    this.addr = addrOf(path);
    FakeConn.open.set(path, this);
  }

  async receive(p: Uint8Array): Promise<[Uint8Array, TransportAddr]> {
    if (this.#receiver !== undefined) throw new Deno.errors.Busy("receiving");
    while (this.#queue.length === 0 && !this.#closed) {
      this.#receiver = Promise.withResolvers();
      await this.#receiver.promise;
      this.#receiver = undefined;
    }
    if (this.#closed) throw new Deno.errors.BadResource("closed");
    const [data, sender] = this.#queue.shift()!;
    p.set(data);
    return [p.subarray(0, data.length), sender];
  }

  async send(p: Uint8Array, addr: TransportAddr): Promise<number> {
    if (this.#closed) throw new Deno.errors.BadResource("closed");
    if (this.#receiver !== undefined) throw new Deno.errors.Busy("receiving");
    const target = FakeConn.open.get(followed(addr.path!));
    if (target === undefined) throw new Deno.errors.NotFound("nobody there");
    target.#queue.push([p.slice() as Bytes, this.addr]);
    target.#receiver?.resolve();
    await Promise.resolve();
    return p.length;
  }

  close(): void {
    FakeConn.open.delete(this.addr.path!);
    this.#closed = true;
    this.#receiver?.resolve();
  }

  joinMulticastV4(): Promise<never> {
    return Promise.reject(new Deno.errors.NotSupported("no multicast"));
  }
}

/** A socket, and another one of a stranger, both in memory. */
function fakes(): [UnixDatagram, FakeConn, opened: FakeConn[]] {
  FakeConn.open.clear();
  const opened: FakeConn[] = [];
  const own = new UnixDatagram(new FakeConn("/own"), () => {
    opened.push(new FakeConn(`\0waker${opened.length}`));
    return opened.at(-1)!;
  });
  return [own, new FakeConn("/other"), opened];
}

Deno.test("UnixDatagram sends while a receive waits, which goes on", async () => {
  const [own, other, opened] = fakes();
  const received = own.receive(new Uint8Array(9));
  await turn();
  for (const data of ["a", "b", "c"]) {
    assertEquals(await within(own.send(bytes(data), other.addr)), 1);
    const [got, sender] = await within(other.receive(new Uint8Array(9)));
    assertEquals(text(got), data);
    assertEquals(sender, own.addr);
  }
  await other.send(bytes("answer"), own.addr);
  const [got, sender] = await within(received);
  assertEquals(text(got), "answer");
  assertEquals(sender, other.addr);
  assertEquals(opened.length, 1);
});

Deno.test("UnixDatagram sends when a receive has only just begun, or is about to", async () => {
  const [own, other] = fakes();
  const first = own.receive(new Uint8Array(9));
  const sent = [
    own.send(bytes("a"), other.addr),
    own.send(bytes("b"), other.addr),
  ];
  await within(Promise.all(sent));
  await within(own.send(bytes("c"), other.addr)); // as the turn goes back to the receive
  for (const data of ["a", "b", "c"]) {
    assertEquals(
      text((await within(other.receive(new Uint8Array(9))))[0]),
      data,
    );
  }
  await other.send(bytes("answer"), own.addr);
  assertEquals(text((await within(first))[0]), "answer");
});

Deno.test("UnixDatagram opens no second socket if no receive waits", async () => {
  const [own, other, opened] = fakes();
  await within(own.send(bytes("x"), other.addr));
  await other.send(bytes("y"), own.addr);
  await within(own.receive(new Uint8Array(9)));
  assertEquals(opened.length, 0);
});

Deno.test("UnixDatagram loses nothing and keeps the order, whatever comes when it sends", async () => {
  const [own, other] = fakes();
  const received: string[] = [];
  const receiving = (async () => {
    while (received.at(-1) !== "end") {
      const [data] = await own.receive(new Uint8Array(9));
      received.push(text(data));
    }
  })();
  for (let i = 0; i < 100; i++) {
    const sent = own.send(bytes("x"), other.addr);
    await other.send(bytes(`${i}`), own.addr);
    if (i % 3 === 0) await turn();
    await within(sent);
    await other.receive(new Uint8Array(9));
  }
  await other.send(bytes("end"), own.addr);
  await within(receiving);
  assertEquals(received, [
    ...Array.from({ length: 100 }, (_, i) => `${i}`),
    "end",
  ]);
});

Deno.test("UnixDatagram takes empty datagrams of others for what they are", async () => {
  const [own, other] = fakes();
  const received = own.receive(new Uint8Array(9));
  await turn();
  await own.send(bytes("x"), other.addr);
  await other.receive(new Uint8Array(9));
  await other.send(bytes(""), own.addr);
  assertEquals((await within(received))[1], other.addr);
});

Deno.test("UnixDatagram tells that a send fails, and goes on", async () => {
  const [own, other] = fakes();
  const received = own.receive(new Uint8Array(9));
  await turn();
  await assertRejects(
    () => within(own.send(bytes("x"), addrOf("/no"))),
    Deno.errors.NotFound,
  );
  await within(own.send(bytes("y"), other.addr));
  await other.receive(new Uint8Array(9));
  await other.send(bytes("z"), own.addr);
  assertEquals(text((await within(received))[0]), "z");
});

Deno.test("UnixDatagram tells that there is no second socket, and tries again", async () => {
  FakeConn.open.clear();
  let fail = true;
  const own = new UnixDatagram(new FakeConn("/own"), () => {
    if (fail) throw new Deno.errors.NotCapable("no second socket");
    return new FakeConn("\0waker");
  });
  const other = new FakeConn("/other");
  const received = own.receive(new Uint8Array(9));
  await turn();
  await assertRejects(
    () => within(own.send(bytes("x"), other.addr)),
    Deno.errors.NotCapable,
  );
  fail = false;
  assertEquals(await within(own.send(bytes("y"), other.addr)), 1);
  await other.receive(new Uint8Array(9));
  await other.send(bytes("z"), own.addr);
  assertEquals(text((await within(received))[0]), "z");
});

Deno.test("UnixDatagram.close() ends what waits, and closes the second socket", async () => {
  const [own, other] = fakes();
  const received = own.receive(new Uint8Array(9));
  await turn();
  await own.send(bytes("x"), other.addr);
  own.close();
  await assertRejects(() => within(received), Deno.errors.BadResource);
  assertEquals([...FakeConn.open.keys()], ["/other"]);
});

Deno.test({
  name: "Socket of Unix datagrams sends while it receives",
  ignore: !haveUnix || !unstableNet,
  async fn() {
    const [one, other] = await socketpair(AF_UNIX, SOCK_DGRAM);
    using _one = one;
    using _other = other;
    const rounds = 50;
    const echo = (async () => {
      for (let i = 0; i < rounds; i++) await other.send(await other.recv(9));
    })();
    let waiting = one.recv(9);
    for (let i = 0; i < rounds; i++) {
      await within(one.send(bytes(`${i}`))); // while both wait
      assertEquals(text(await within(waiting)), `${i}`);
      waiting = one.recv(9);
    }
    await echo;
    one.close();
    assertEquals(await codesOf([waiting]), ["EBADF"]);
  },
});

Deno.test({
  name:
    "Socket.detach() of Unix datagrams gives Deno's socket, and leaves nothing else open",
  ignore: !haveUnix || !unstableNet,
  async fn() {
    const [one, other] = await socketpair(AF_UNIX, SOCK_DGRAM);
    using _other = other;
    one.settimeout(0);
    assertEquals(await codesOf([one.recv(9)]), ["EAGAIN"]);
    one.settimeout(20);
    await one.send(bytes("x")); // now there is a second socket
    await within(other.recv(9));
    await other.send(bytes("y"));
    await within(one.recv(9));
    const conn = one.detach();
    using again = Socket.from(conn);
    assertEquals(again.family, AF_UNIX);
    assertEquals(again.type, SOCK_DGRAM);
  },
});
