/** The parts of a Unix datagram socket: the aliases of the paths that it sends to, and its send sockets. */

import type { DenoDatagramConn } from "../../../internal/runtime/deno/deno_datagram.ts";
import { PeerAliases } from "../../../internal/runtime/unix/unix_aliases.ts";
import { SendSockets } from "../../../internal/runtime/unix/unix_send_sockets.ts";
import { assert, assertEquals, assertThrows } from "../../deps.ts";
import { haveUnix } from "../../helpers/allowed.ts";

Deno.test({
  name: "the oldest alias of a path makes room for a new one",
  ignore: !haveUnix,
  fn() {
    const aliases = new PeerAliases();
    try {
      const first = aliases.of("/tmp/peer")!;
      assertEquals(Deno.readLinkSync(first), "/tmp/peer");
      let more = 0;
      while (aliases.holds("/tmp/peer", first)) {
        assert(++more < 1000, "the oldest alias is kept");
        aliases.of(`/tmp/peer${more}`);
      }
      assertThrows(() => Deno.lstatSync(first), Deno.errors.NotFound);
      assert(aliases.of("/tmp/peer") !== first); // its name is never used again
    } finally {
      aliases.close();
    }
  },
});

const sendSocket = () => ({ close() {} }) as unknown as DenoDatagramConn;

Deno.test("SendSockets keep the last one for sends that can be cancelled", async () => {
  const [one, other] = [sendSocket(), sendSocket()];
  const sendSockets = new SendSockets([one, other]);
  const risky = await sendSockets.take(true);
  let second: unknown = "waits";
  const waiting = sendSockets.take(true).then((taken) => second = taken);
  const sure = await sendSockets.take(false); // not held up by the one that waits
  assertEquals(second, "waits");
  sendSockets.give(sure!, false);
  await Promise.resolve();
  assertEquals(second, "waits"); // the last one is not for it
  sendSockets.give(risky!, true);
  await waiting;
  assertEquals([one, other].includes(second as DenoDatagramConn), true);
});

Deno.test("SendSockets tell a risky send at once that none is left for it", async () => {
  const sendSockets = new SendSockets([sendSocket(), sendSocket()]);
  const taken = await sendSockets.take(true);
  const stuck = Promise.withResolvers<void>();
  const waiting = sendSockets.take(true);
  sendSockets.lose(taken!, true, stuck.promise);
  assertEquals(await waiting, undefined);
  assertEquals(await sendSockets.take(true), undefined);
  const sure = await sendSockets.take(false);
  sendSockets.give(sure!, false);
  stuck.resolve();
  await stuck.promise;
  await Promise.resolve();
  assertEquals(await sendSockets.take(true) === undefined, false);
});
