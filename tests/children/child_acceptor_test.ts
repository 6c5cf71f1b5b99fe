/** ChildAcceptor: the connections that a child accepts, and the credit that it gives up. */

import type { Socket as NetSocket } from "node:net";
import { ChildAcceptor } from "../../internal/children/child_acceptor.ts";
import { parkHandle } from "../../internal/runtime/node/node_handles.ts";
import { parkedListenerOf } from "../../internal/server/bind_passable.ts";
import { assertEquals } from "../deps.ts";
import { mayFork } from "../helpers/allowed.ts";
import { dial } from "../helpers/clients.ts";
import { TCP } from "../helpers/forking.ts";
import { until, within } from "../helpers/within.ts";
import { Asks } from "../testdata/forking_handlers.ts";

/** An acceptor on the socket of a server that does not serve, and its requests. */
class Accepting implements AsyncDisposable {
  readonly server = new TCP(["127.0.0.1", 0], Asks, { acceptIn: "children" });
  readonly begun: NetSocket[] = [];
  readonly returned: NetSocket[] = [];
  /** The credit that the acceptor has given up. */
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

  /** Lets the acceptor accept `left` connections, `credit` at a time. */
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
    "ChildAcceptor stops after its last connection, and gives up the credit for more",
  ignore: !mayFork,
  sanitizeOps: false, // an acceptor never stops its timers
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
