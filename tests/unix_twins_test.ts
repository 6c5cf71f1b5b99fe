/** The twins of a Unix datagram socket: how many a send that cannot be cancelled may take. */

import type { DenoDatagramConn } from "../internal/runtime/deno_datagram.ts";
import { Twins } from "../internal/runtime/unix_twins.ts";
import { assertEquals } from "./deps.ts";

const twin = () => ({ close() {} }) as unknown as DenoDatagramConn;

Deno.test("Twins keep the last one for sends that can be cancelled", async () => {
  const [one, other] = [twin(), twin()];
  const twins = new Twins([one, other]);
  const risky = await twins.take(true);
  let second: unknown = "waits";
  const waiting = twins.take(true).then((taken) => second = taken);
  const sure = await twins.take(false); // not held up by the one that waits
  assertEquals(second, "waits");
  twins.give(sure!, false);
  await Promise.resolve();
  assertEquals(second, "waits"); // the last one is not for it
  twins.give(risky!, true);
  await waiting;
  assertEquals([one, other].includes(second as DenoDatagramConn), true);
});

Deno.test("Twins tell a risky send at once that none is left for it", async () => {
  const twins = new Twins([twin(), twin()]);
  const taken = await twins.take(true);
  const stuck = Promise.withResolvers<void>();
  const waiting = twins.take(true);
  twins.lose(taken!, true, stuck.promise);
  assertEquals(await waiting, undefined);
  assertEquals(await twins.take(true), undefined);
  const sure = await twins.take(false);
  twins.give(sure!, false);
  stuck.resolve();
  await stuck.promise;
  await Promise.resolve();
  assertEquals(await twins.take(true) === undefined, false);
});
