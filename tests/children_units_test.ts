/**
 * The parts of children that accept one by one: what a child takes and returns, what the server waits for, and which
 * children it asks.
 */

import type { Socket as NetSocket } from "node:net";
import { Socket } from "../mod.ts";
import { Acceptors } from "../internal/children/acceptors.ts";
import { ChildAcceptor } from "../internal/children/child_acceptor.ts";
import type { ChildPool } from "../internal/children/child_pool.ts";
import { ChildSurvey } from "../internal/children/child_survey.ts";
import type { Requests } from "../internal/requests/request_registry.ts";
import {
  type ParkedListener,
  parkHandle,
} from "../internal/runtime/parked_listener.ts";
import { parkedListenerOf } from "../internal/server/bind_passable.ts";
import { assertEquals } from "./deps.ts";
import {
  acceptingMember,
  dial,
  fakeJob,
  type FakeMember,
  fakeMember,
  startingMember,
  TCP,
} from "./forking_helpers.ts";
import { mayFork } from "./helpers/allowed.ts";
import { within } from "./helpers/within.ts";
import { turn } from "./helpers.ts";
import { until } from "./server_helpers.ts";
import { Asks } from "./testdata/forking_handlers.ts";

/** An acceptor on the socket of a server that does not serve, and what it has done. */
class Accepting implements AsyncDisposable {
  readonly server = new TCP(["127.0.0.1", 0], Asks, { acceptIn: "children" });
  readonly begun: NetSocket[] = [];
  readonly returned: NetSocket[] = [];
  /** The credit that it has given up. */
  gave = 0;
  listening = false;
  readonly acceptor = new ChildAcceptor({
    idle: true,
    begin: (socket) => void this.begun.push(socket),
    giveBack: (socket, credit) => {
      this.returned.push(socket);
      this.gave += credit;
      return Promise.resolve();
    },
    sorted: () => {},
    listening: (on) => this.listening = on,
    full: () => {},
    gave: (credit) => this.gave += credit,
  });

  /** Lets it accept `left` connections in all, `credit` of them at a time. */
  start(credit: number, left: number): void {
    const { handle, backlog } = parkedListenerOf(this.server.socket);
    this.acceptor.paused = false;
    this.acceptor.grant(credit);
    this.acceptor.start(parkHandle(handle), backlog, left);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.acceptor.paused = true;
    for (const socket of [...this.begun, ...this.returned]) socket.destroy();
    await within(this.server.serverClose());
  }
}

Deno.test({
  name:
    "ChildAcceptor accepts as many connections as it may in its life, and gives up the credit for more",
  ignore: !mayFork,
  sanitizeOps: false, // the timers of an acceptor run as long as its process
  sanitizeResources: false,
  async fn() {
    await using accepting = new Accepting();
    const { server, acceptor, begun } = accepting;
    accepting.start(5, 2);
    using _first = await dial(server.serverAddress);
    await until(() => begun.length === 1);
    assertEquals(accepting.gave, 0);
    acceptor.ended();
    using _second = await dial(server.serverAddress);
    await until(() => begun.length === 2);
    assertEquals(accepting.gave, 4);
    acceptor.ended();
    assertEquals(accepting.gave, 5);
    assertEquals(accepting.listening, false);
    acceptor.grant(1);
    assertEquals(accepting.listening, false);
  },
});

/** What {@linkcode Acceptors} see of a server that may have `max` requests. */
function requestsOf(max: number): Requests {
  return { max, size: 0, reserved: 0, suspended: false } as Requests;
}

/** Lets a child accept that is none. It has the listening socket and may accept then. */
function startWith(acceptors: Acceptors, { child, poolChild }: FakeMember) {
  const pool = {
    children: [poolChild],
    options: { maxChildren: 1, requestsPerChild: 9 },
    grow: () => true,
  } as unknown as ChildPool;
  const handle = {};
  const listener = { handle, backlog: 5, letGo() {}, takeBack() {} };
  acceptors.start(pool, listener as unknown as ParkedListener);
  child.say({ type: "sync" });
  child.say({ type: "paused" });
}

Deno.test("Acceptors.stop() resolves when the children have told what they have accepted", async () => {
  const member = acceptingMember();
  const { child } = member;
  const acceptors = new Acceptors({
    server: undefined as never,
    requests: requestsOf(9),
    begin: () => ({ request: undefined as never, run: () => {} }),
  });
  startWith(acceptors, member);
  let stopped = false;
  const stopping = acceptors.stop().then(() => stopped = true);
  await turn();
  assertEquals(stopped, false);
  child.say({ type: "paused" });
  await within(stopping);
  assertEquals(child.signals, []);
});

Deno.test("Acceptors reserve no more than the credit that children have left, in whichever order they report", async () => {
  const requests = requestsOf(9) as { size: number; reserved: number };
  const acceptors = new Acceptors({
    server: undefined as never,
    requests: requests as Requests,
    begin: () => {
      requests.size++;
      return { request: new Socket(), run: () => {} };
    },
  });
  const member = acceptingMember({ accepts: acceptors });
  const { child } = member;
  startWith(acceptors, member);
  assertEquals(requests.reserved, 4);
  child.say({ type: "full" }); // before the requests that have used its credit
  const { reserved } = requests;
  const client = ["127.0.0.1", 1];
  child.say({ type: "accepted", ids: [-1, -2], clients: [client, client] });
  assertEquals(requests, { ...requests, size: 2, reserved: reserved - 2 });
  child.say({ type: "offer", count: 1 });
  child.say({ type: "returned", credit: 1 }); // without a connection: the client was gone
  assertEquals(requests, { ...requests, size: 2, reserved: reserved - 3 });
  const stopped = acceptors.stop();
  child.say({ type: "paused" });
  await within(stopped);
});

Deno.test("PoolChild keeps the server's process alive while it accepts or has a request", () => {
  const { child, poolChild } = acceptingMember();
  const refs: boolean[] = [child.referenced];
  const note = () => refs.push(child.referenced);
  void poolChild.pause(false, false);
  note();
  child.say({ type: "accepted", ids: [-1], clients: [["127.0.0.1", 1]] });
  void poolChild.pause(true, false);
  note();
  child.say({ type: "done", ids: [-1], ms: 1 });
  note();
  void poolChild.pause(false, false);
  void poolChild.pause(true, false);
  note();
  void poolChild.run(fakeJob());
  note();
  child.say({ type: "done", ids: [2], ms: 1 });
  note();
  assertEquals(refs, [false, true, true, false, false, true, false]);
  assertEquals(child.signals, []);
});

for (const accepts of [true, false]) {
  const asks = accepts ? "asks a busy child that" : "asks no child if none";
  Deno.test(`ChildSurvey ${asks} accepts whether its event loop turns`, () => {
    const { child, poolChild } = accepts ? acceptingMember() : fakeMember();
    const starting = startingMember();
    for (const member of [poolChild, starting.poolChild]) {
      void member.run(fakeJob());
    }
    child.say({ type: "acknowledge", id: 1 });
    const { best, open } = new ChildSurvey(
      [poolChild, starting.poolChild],
      accepts,
    );
    assertEquals(best, poolChild);
    assertEquals(open, 2);
    assertEquals(child.types.includes("probe"), accepts);
    starting.child.say({ type: "ready" });
  });
}
