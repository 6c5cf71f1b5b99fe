/** ChildAcceptor: the connections that a child accepts, and the credit that it gives up. */

import type { Socket as NetSocket } from "node:net";
import { AcceptReports } from "../../internal/children/accept_reports.ts";
import { ChildAcceptor } from "../../internal/children/child_acceptor.ts";
import { ChildOutbox } from "../../internal/children/child_outbox.ts";
import { parkHandle } from "../../internal/runtime/node/node_handles.ts";
import { parkedListenerOf } from "../../internal/server/bind_passable.ts";
import { assertEquals } from "../deps.ts";
import { mayFork } from "../helpers/allowed.ts";
import { dial } from "../helpers/clients.ts";
import { TCP } from "../helpers/forking.ts";
import { until, within } from "../helpers/within.ts";
import { Asks } from "../testdata/forking_handlers.ts";
import { fakeLink } from "./children_fakes.ts";

/** An acceptor on the socket of a server that does not serve, and its requests. */
class Accepting implements AsyncDisposable {
  readonly server = new TCP(["127.0.0.1", 0], Asks, { acceptIn: "children" });
  readonly begun: NetSocket[] = [];
  readonly #link = fakeLink();
  readonly acceptor = new ChildAcceptor({
    link: this.#link.link,
    outbox: new ChildOutbox(() => {}),
    reports: new AcceptReports(this.#link.link),
    isIdle: () => true,
    begin: (socket) => void this.begun.push(socket),
  });

  /** Lets the acceptor accept `requests` connections, `credit` at a time. */
  start(credit: number, requests: number): void {
    const { handle, backlog } = parkedListenerOf(this.server.socket);
    const listen = { type: "listen", backlog, requests } as const;
    this.#pause(false);
    this.acceptor.onMessage({ type: "credit", credit });
    this.acceptor.onMessage(listen, parkHandle(handle));
  }

  #pause(paused: boolean): void {
    this.acceptor.onMessage({ type: "pause", paused, each: false });
  }

  /** The credit that the acceptor has given up. */
  get gave(): number {
    return this.#link.said.reduce(
      (sum, said) => said.type === "gave" ? sum + said.credit : sum,
      0,
    );
  }

  get listening(): boolean {
    const reports = this.#link.said.filter(({ type }) => type === "listening");
    return (reports.at(-1) as { on?: boolean }).on === true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pause(true);
    for (const socket of this.begun) socket.destroy();
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
    acceptor.onMessage({ type: "credit", credit: 1 });
    assertEquals(accepting.listening, false);
  },
});
