/** The receives of a datagram socket: their number, their order, and their errors. */

import { DatagramReceives } from "../../internal/socket/datagram_receives.ts";
import type { TransportAddr } from "../../internal/runtime/transport/transport.ts";
import { assertEquals, assertThrows } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { FakeDatagram } from "../helpers/fakes.ts";
import { turn } from "../helpers/turns.ts";

/** A transport whose receives the test ends. */
class Several extends FakeDatagram {
  readonly inFlight: ((datagram: string | Error) => void)[] = [];
  prepared = 0;

  override receive(p: Uint8Array): Promise<[Uint8Array, TransportAddr]> {
    const { promise, resolve, reject } = Promise.withResolvers<
      [Uint8Array, TransportAddr]
    >();
    this.inFlight.push((datagram) => {
      if (datagram instanceof Error) return reject(datagram);
      p.set(bytes(datagram));
      resolve([p.subarray(0, datagram.length), this.addr]);
    });
    return promise;
  }

  receiveSeveral(): void {
    this.prepared++;
  }

  endSeveral(): void {}
}

/** Ends the first receives with datagrams. */
async function arrive(
  transport: Several,
  ...datagrams: (string | Error)[]
): Promise<void> {
  for (const datagram of datagrams) transport.inFlight.shift()!(datagram);
  await turn();
}

const all = () => true;

/** Takes all waiting datagrams. */
function taken(receives: DatagramReceives): string {
  let all = "";
  while (receives.ready) all += text(receives.take()[0]);
  return all;
}

/** Receives one datagram at a time until two receives are in flight. */
async function tryTwo(transport: Several, receives: DatagramReceives) {
  for (let single = 0; transport.inFlight.length < 2; single++) {
    if (single > 0) await arrive(transport, ".");
    taken(receives);
    receives.nextChange();
  }
}

Deno.test("DatagramReceives keeps one receive in flight for a program", async () => {
  const transport = new Several();
  const receives = new DatagramReceives(transport, all);
  for (let i = 0; i < 50; i++) {
    receives.nextChange();
    receives.nextChange();
    assertEquals(transport.inFlight.length, 1);
    await arrive(transport, "x");
    assertEquals(receives.unread, 1, "unread");
    assertEquals(taken(receives), "x", "taken");
    assertEquals(transport.inFlight.length, 0); // none ahead
  }
  assertEquals(transport.prepared, 0);
});

Deno.test("DatagramReceives keeps up to four receives in flight while datagrams come together, and one again", async () => {
  const transport = new Several();
  const receives = new DatagramReceives(transport, all);
  receives.allowSeveral();
  receives.allowSeveral();
  assertEquals(transport.prepared, 1);
  await tryTwo(transport, receives);
  for (let round = 0; round < 3; round++) {
    await arrive(transport, "a", "b");
    assertEquals(taken(receives), "ab");
    if (transport.inFlight.length > 0) { // the others of four
      receives.nextChange();
      await arrive(transport, "c", "d");
      assertEquals(taken(receives), "cd");
    }
    receives.nextChange();
    assertEquals(transport.inFlight.length, 4);
  }
  await arrive(transport, "1", "2", "3", "4");
  taken(receives);
  receives.nextChange();
  await arrive(transport, "1", "2", "3", "4");
  assertEquals(taken(receives), "1234");
});

Deno.test("DatagramReceives begins no receive while another is in flight, which it could overtake", async () => {
  const transport = new Several();
  const receives = new DatagramReceives(transport, all);
  receives.allowSeveral();
  await tryTwo(transport, receives);
  await arrive(transport, "a");
  assertEquals(taken(receives), "a");
  const changed = receives.nextChange();
  assertEquals(transport.inFlight.length, 1);
  await arrive(transport, "b");
  await changed;
  assertEquals(taken(receives), "b");
});

Deno.test("DatagramReceives returns an error in the place of its datagram, and loses no other", async () => {
  const transport = new Several();
  const receives = new DatagramReceives(transport, all);
  receives.allowSeveral();
  await tryTwo(transport, receives);
  await arrive(transport, new Error("odd"), "b");
  assertEquals(receives.unread, 1);
  assertThrows(() => receives.peek(), Error, "odd");
  assertEquals(text(receives.peek()[0]), "b");
  assertEquals(taken(receives), "b");
  await receives.settled;
});

Deno.test("DatagramReceives waits until each receive has ended", async () => {
  const transport = new Several();
  const receives = new DatagramReceives(transport, all);
  receives.allowSeveral();
  await tryTwo(transport, receives);
  let settled = false;
  receives.settled.then(() => settled = true);
  await arrive(transport, "a");
  assertEquals(settled, false, "settled");
  assertEquals(receives.busy, true, "busy");
  await arrive(transport, new Error("closed"));
  assertEquals(settled, true);
  assertEquals(receives.unread, 1);
});

Deno.test("DatagramReceives receives again after an unwanted datagram", async () => {
  const transport = new Several();
  const receives = new DatagramReceives(
    transport,
    ([data]) => text(data) !== "no",
  );
  receives.nextChange();
  for (let i = 0; i < 3; i++) {
    await arrive(transport, "no");
    assertEquals(receives.ready, false, "ready");
    assertEquals(transport.inFlight.length, 1, "inFlight");
  }
  await arrive(transport, "yes");
  assertEquals(taken(receives), "yes");
});
