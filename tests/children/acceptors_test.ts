/** Acceptors: the credit that a server reserves for its children, and the wait for them to stop. */

import { Acceptors } from "../../internal/children/acceptors.ts";
import type { ChildPool } from "../../internal/children/child_pool.ts";
import { Requests } from "../../internal/requests/request_registry.ts";
import type { ParkedListener } from "../../internal/runtime/node/parked_listener.ts";
import { AF_INET } from "../../mod.ts";
import { fakeAcceptingChild, type FakePoolChild } from "./children_fakes.ts";
import { assertEquals } from "../deps.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

/** The acceptors of a server whose requests do not end. */
function acceptorsWith(requests: Requests): Acceptors {
  const finishRequest = () => new Promise(() => {});
  const server = { socket: { family: AF_INET }, finishRequest };
  return new Acceptors(server as never, requests);
}

/** Starts acceptors with a fake child, which may accept. */
function startWith(acceptors: Acceptors, { child, poolChild }: FakePoolChild) {
  const options = { maxChildren: 1, requestsPerChild: 9 };
  const children = Object.assign([poolChild], { options, grow: () => true });
  const pool = { children } as unknown as ChildPool;
  const handle = {};
  const listener = { handle, backlog: 5, letGo() {}, takeBack() {} };
  acceptors.start(pool, listener as unknown as ParkedListener);
  child.say({ type: "sync" });
  child.say({ type: "paused" });
}

Deno.test("Acceptors.stop() resolves when the children have reported all that they accepted", async () => {
  const fake = fakeAcceptingChild();
  const { child } = fake;
  const acceptors = acceptorsWith(new Requests({ maxConnections: 9 }));
  startWith(acceptors, fake);
  let stopped = false;
  const stopping = acceptors.stop().then(() => stopped = true);
  await turn();
  assertEquals(stopped, false);
  child.say({ type: "paused" });
  await within(stopping);
  assertEquals(child.signals, []);
});

Deno.test("Acceptors reserve only the credit that children have left, in any order of reports", async () => {
  const requests = new Requests({ maxConnections: 9 });
  const counts = () => ({
    open: requests.size,
    reserved: requests.limits.reserved,
  });
  const acceptors = acceptorsWith(requests);
  const fake = fakeAcceptingChild({ accepts: acceptors });
  const { child } = fake;
  startWith(acceptors, fake);
  assertEquals(counts(), { open: 0, reserved: 4 });
  child.say({ type: "full" }); // before the requests that have used its credit
  const { reserved } = requests.limits;
  const client = ["127.0.0.1", 1];
  child.say({ type: "accepted", ids: [-1, -2], clients: [client, client] });
  assertEquals(counts(), { open: 2, reserved: reserved - 2 });
  child.say({ type: "offer", count: 1 });
  child.say({ type: "returned", credit: 1 }); // without a connection: the client was gone
  assertEquals(counts(), { open: 2, reserved: reserved - 3 });
  const stopped = acceptors.stop();
  child.say({ type: "paused" });
  await within(stopped);
});
