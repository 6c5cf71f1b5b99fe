/** Unix datagrams to a peer that does not read: what is kept, given back, remembered and ended. */

import type { TransportAddr } from "../../../mod.ts";
import type { DenoDatagramConn } from "../../../internal/runtime/deno/deno_datagram.ts";
import { UnixDatagram } from "../../../internal/runtime/unix/unix_datagram.ts";
import { assertEquals, assertInstanceOf, assertRejects } from "../../deps.ts";
import { bytes, text } from "../../helpers/bytes.ts";
import { timeoutByHand } from "../../helpers/fakes.ts";
import { codeOf } from "../../helpers/thrown.ts";
import { turn } from "../../helpers/turns.ts";
import { within } from "../../helpers/within.ts";

/** Abstract names: a send to one cannot be taken back. */
const DEAF: TransportAddr = { transport: "unixpacket", path: "\0deaf" };
const OTHER: TransportAddr = { transport: "unixpacket", path: "\0other" };

/** How many answers are kept for one peer. */
const ANSWERS_MAX = 64;

/** A socket whose peer reads when the test says so, or whose sends fail. */
class FakeConn implements DenoDatagramConn {
  readonly addr: TransportAddr = { transport: "unixpacket", path: "\0own" };
  /** The datagrams that the peer has received. */
  readonly got: string[] = [];
  /** The error of each send, if sends are to fail. */
  failure: Error | undefined;
  tries = 0;
  #reads = Promise.withResolvers<void>();

  receive(): Promise<never> {
    return new Promise(() => {});
  }

  async send(p: Uint8Array): Promise<number> {
    this.tries++;
    if (this.failure !== undefined) throw this.failure;
    await this.#reads.promise;
    this.got.push(text(p));
    return p.length;
  }

  /** The peer reads from now on. */
  read(): void {
    this.#reads.resolve();
  }

  /** The peer reads no more. */
  stop(): void {
    this.#reads = Promise.withResolvers();
  }

  close(): void {}

  joinMulticastV4(): Promise<never> {
    return Promise.reject(new Deno.errors.NotSupported("no multicast"));
  }
}

function fakes(sendSockets: FakeConn[] = []): [UnixDatagram, FakeConn] {
  const conn = new FakeConn();
  const noWaker = () => {
    throw new Error("nothing receives");
  };
  return [new UnixDatagram(conn, noWaker, sendSockets), conn];
}

/** Lets the event loop turn for longer than attempts to send take: each is polled for 64 turns. */
async function attempts(): Promise<void> {
  for (let i = 0; i < 500; i++) await turn();
}

Deno.test("UnixDatagram keeps as many answers again once the first are sent", async () => {
  const [own, conn] = fakes();
  const answer = (i: number) => own.send(bytes(`${i}`), DEAF, null, true);
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < ANSWERS_MAX; i++) await within(answer(i));
    assertEquals(await codeOf(() => answer(ANSWERS_MAX)), "EAGAIN");
    assertEquals(own.flushed.ready, false);
    conn.read();
    await within(own.flushed.nextChange());
    const all = Array.from({ length: ANSWERS_MAX }, (_, i) => `${i}`);
    assertEquals(conn.got.splice(0), all);
    conn.stop();
  }
});

Deno.test("UnixDatagram sends what an answer was, also if its memory is used again", async () => {
  const [own, conn] = fakes();
  const memory = bytes("first");
  await within(own.send(memory, DEAF, null, true));
  memory.set(bytes("later"));
  await within(own.send(memory, DEAF, null, true));
  memory.fill(0);
  conn.read();
  await within(own.flushed.nextChange());
  assertEquals(conn.got, ["first", "later"]);
});

Deno.test("UnixDatagram keeps one answer more for each that a slow peer has read", async () => {
  const [own, conn] = fakes();
  const answer = () => own.send(bytes("x"), DEAF, null, true);
  for (let i = 0; i < ANSWERS_MAX; i++) await within(answer());
  for (let read = 0; read < 3; read++) {
    assertEquals(await codeOf(answer), "EAGAIN");
    conn.read();
    conn.stop(); // only the send in flight goes through
    await attempts();
    assertEquals(conn.got.length, read + 1);
    await within(answer());
  }
  conn.read();
  await within(own.flushed.nextChange());
});

Deno.test("UnixDatagram keeps no more answers for all peers than it may, and gives that back too", async () => {
  const [own, conn] = fakes();
  const answerAll = async () => {
    let kept = 0;
    for (let peer = 0; peer < 20; peer++) {
      const addr = { ...DEAF, path: `\0peer ${peer}` };
      for (let i = 0; i < ANSWERS_MAX; i++) {
        const code = await codeOf(() => own.send(bytes("x"), addr, null, true));
        if (code === undefined) kept++;
        else assertEquals(code, "EAGAIN");
      }
    }
    return kept;
  };
  for (let round = 0; round < 2; round++) {
    const first = own.send(bytes("x"), DEAF, null, true);
    await within(first); // its send holds the socket
    assertEquals(await answerAll(), 1023); // the one in flight counts
    conn.read();
    await within(own.flushed.nextChange());
    conn.stop();
  }
});

Deno.test("UnixDatagram.close() ends the sends that wait: for the peer, for their turn, and for a pause", async () => {
  const [own] = fakes();
  const sends = [DEAF, DEAF, OTHER].map((addr) => own.send(bytes("x"), addr));
  const ended = Promise.allSettled(sends);
  await attempts();
  own.close();
  for (const each of await within(ended)) {
    assertInstanceOf(
      (each as PromiseRejectedResult).reason,
      Deno.errors.BadResource,
    );
  }
});

Deno.test("UnixDatagram.close() ends also the sends that have a limit", async () => {
  const [own] = fakes();
  const sends = [DEAF, DEAF, OTHER].map((addr) =>
    own.send(bytes("x"), addr, timeoutByHand("sendto"))
  );
  const ended = Promise.allSettled(sends);
  await attempts();
  own.close();
  for (const each of await within(ended)) {
    assertInstanceOf(
      (each as PromiseRejectedResult).reason,
      Deno.errors.BadResource,
    );
  }
});

Deno.test("UnixDatagram ends by its limit also a send to a second peer that begins with a stuck one", async () => {
  const [own] = fakes();
  const limit = timeoutByHand("sendto");
  const sends = [
    own.send(bytes("x"), DEAF),
    own.send(bytes("y"), OTHER, limit),
  ];
  const ended = Promise.allSettled(sends);
  await attempts();
  limit.expire();
  assertEquals(await within(codeOf(() => sends[1])), "ETIMEDOUT");
  own.close();
  await within(ended);
});

Deno.test("UnixDatagram remembers a peer that did not read in time, until it reads", async () => {
  const [own, conn] = fakes();
  for (let round = 0; round < 2; round++) {
    const limit = timeoutByHand("sendto");
    const first = own.send(bytes("first"), DEAF, limit, true);
    await attempts();
    limit.expire();
    assertEquals(await within(codeOf(() => first)), "ETIMEDOUT");
    const answer = () =>
      own.send(bytes("second"), DEAF, timeoutByHand("sendto"), true);
    assertEquals(await within(codeOf(answer)), "ETIMEDOUT"); // although its time has not run out
    conn.read();
    await attempts();
    assertEquals(await within(answer()), 6);
    assertEquals(conn.got.splice(0), ["first", "second"]);
    conn.stop();
  }
});

Deno.test("UnixDatagram sends from the socket itself to a peer that is connected to it, and remembers the peer", async () => {
  const sendSocket = new FakeConn();
  const eperm = new Deno.errors.PermissionDenied("connected");
  sendSocket.failure = Object.assign(eperm, { code: "EPERM" });
  const [own, conn] = fakes([sendSocket, sendSocket]);
  conn.read();
  for (const data of ["a", "b", "c"]) {
    assertEquals(await within(own.send(bytes(data), DEAF)), 1);
  }
  assertEquals(conn.got, ["a", "b", "c"]);
  assertEquals(sendSocket.tries, 1);
});

Deno.test("UnixDatagram tells other errors of a send socket", async () => {
  const sendSocket = new FakeConn();
  const denied = new Deno.errors.PermissionDenied("refused");
  sendSocket.failure = Object.assign(denied, { code: "EACCES" });
  const [own, conn] = fakes([sendSocket, sendSocket]);
  const error = await assertRejects(() => within(own.send(bytes("x"), DEAF)));
  assertEquals(error, denied);
  assertEquals(conn.tries, 0);
});
