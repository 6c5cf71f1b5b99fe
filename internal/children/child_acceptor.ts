/**
 * The accepts of a child process.
 *
 * @module
 */

import type { Server as NetServer, Socket as NetSocket } from "node:net";
import {
  type ListenHandle,
  listenOnCopy,
  type ParkedHandle,
  parkHandle,
} from "../runtime/node/node_handles.ts";
import type { ListenMessage, PauseMessage } from "./accept_messages.ts";
import type { AcceptReports } from "./accept_reports.ts";
import type { ChildOutbox } from "./child_outbox.ts";
import type { ToChild } from "./messages.ts";
import type { ParentLink } from "./parent_link.ts";
import { TurnWatch } from "./turn_watch.ts";

/**
 * The interval in ms at which a child listens again. Deno (2.9.6, `node:net`) stops accepting, without an error, when no
 * descriptor is left, and listening again resumes it. Arbitrary.
 */
const REARM_MS = 1000;

/** The parts of the child process that a {@linkcode ChildAcceptor} uses. */
export interface ChildAcceptorOptions {
  /** The channel to the server. */
  readonly link: ParentLink;
  /** Returns connections to the server. */
  readonly outbox: ChildOutbox;
  /** Reports the requests that this process has accepted. */
  readonly reports: AcceptReports;
  /** Reports whether no request is open, wherever it was accepted. */
  isIdle(): boolean;
  /**
   * Runs the handler for a connection: at once, or, if the handler may compute, once the server knows of the request.
   * Calls {@linkcode ChildAcceptor.ended} when the request has ended.
   */
  begin(socket: NetSocket, atOnce: boolean): void;
}

/**
 * Accepts connections on the listening socket of the server, as long as there is credit: the number of requests that this
 * child may have open. `node:net` of Deno (2.9.6) takes all connections from the system that wait there, so the child
 * returns those that it cannot serve at once, each with one of its credits. While handlers hold up the event loop, or nobody
 * knows yet, it serves one, and returns the others: they would wait behind a handler, while other children are idle.
 */
export class ChildAcceptor {
  readonly #child: ChildAcceptorOptions;
  readonly #turns = new TurnWatch();
  #parked: ParkedHandle | undefined;
  #backlog = 0;
  #listening: [NetServer, ListenHandle] | undefined;
  #credit = 0;
  /** The credits to give up when requests end. */
  #debt = 0;
  #open = 0;
  /** The number of connections that the child may still accept in its life. */
  #left = Infinity;
  #paused = true;
  /** The connections that Deno has accepted in this turn of the event loop. */
  #arrived: NetSocket[] = [];
  #returning: Promise<void> | undefined;

  /** @param child The other parts of the process. */
  constructor(child: ChildAcceptorOptions) {
    this.#child = child;
    const rearm = setInterval(
      () => this.#listening?.[1].listen(this.#backlog),
      REARM_MS,
    );
    Deno.unrefTimer(rearm);
  }

  /** Handles a message about the accepts of this process. */
  onMessage(message: ToChild, handle?: object): void {
    const { link, outbox } = this.#child;
    switch (message.type) {
      case "listen":
        return this.#start(message, handle as ParkedHandle);
      case "credit":
        return message.credit > 0
          ? this.#grant(message.credit)
          : this.#reclaim(-message.credit);
      case "probe":
        return link.tell("alive");
      case "pause":
        return void this.#pause(message);
      case "take":
        return outbox.take();
      case "taken":
        return outbox.taken();
    }
  }

  /** Gets the listening socket of the server. */
  #start({ backlog, requests }: ListenMessage, handle: ParkedHandle): void {
    this.#child.link.synced();
    this.#parked = parkHandle(handle);
    handle.close();
    this.#backlog = backlog;
    this.#left = requests;
    this.update();
  }

  /** Stops accepting, or goes on. Answers once the server knows of all connections accepted before. */
  async #pause({ paused, each }: PauseMessage): Promise<void> {
    if (this.#arrived.length > 0) this.#sort(); // under the old setting
    this.#paused = paused;
    this.update();
    if (this.#arrived.length > 0) this.#sort(); // those that Deno had accepted
    await this.#returning;
    const { link, reports } = this.#child;
    reports.each = each;
    reports.flush();
    link.tell("paused");
  }

  /** Notes a request whose connection the server has accepted. */
  noteRequest(): void {
    if (this.#parked === undefined) return;
    this.#turns.begin();
    this.update();
  }

  #grant(credit: number): void {
    this.#credit += credit;
    this.update();
  }

  /** Gives up credit, as far as no request uses it; reports also that it has none to give. */
  #reclaim(credit: number): void {
    const given = Math.max(0, Math.min(credit, this.#credit - this.#open));
    this.#credit -= given;
    this.#child.link.gave(given);
    this.update();
  }

  /** Notes that a request has ended that this child has accepted. */
  ended(): void {
    this.#open--;
    if (this.#debt > 0) {
      this.#debt--;
      this.#give(1);
    } else if (this.#left === 0) this.#give(this.#credit - this.#open);
    this.update();
  }

  #give(credit: number): void {
    if (!(credit > 0)) return;
    this.#credit -= credit;
    this.#child.link.gave(credit);
  }

  /** Listens while the child can serve the next connection, and only then. */
  update(): void {
    const wanted = this.#servesNext;
    if (wanted === (this.#listening !== undefined)) return;
    if (wanted) this.#listen();
    else this.#stop();
    this.#child.link.listening(this.#listening !== undefined);
  }

  #listen(): void {
    if (this.#parked === undefined) return;
    const listening = listenOnCopy(this.#parked, this.#backlog);
    if (listening === undefined) return; // no descriptor is left; a request that ends frees one
    const [server, handle] = listening;
    server.on("connection", (socket) => this.#arrive(socket));
    server.on("error", ignore);
    const take = handle.onconnection.bind(handle);
    handle.onconnection = (status) => {
      if (status === 0) take(0);
    };
    this.#listening = listening;
  }

  /** Notes a connection. Deno may have accepted more of them, and closing the listener here would lose those. */
  #arrive(socket: NetSocket): void {
    Object.assign(socket, { server: null, _server: null });
    if (this.#arrived.push(socket) === 1) setImmediate(() => this.#sort());
  }

  /** Serves the connections that have arrived, or returns them. */
  #sort(): void {
    const kept: NetSocket[] = [];
    const returned: Promise<void>[] = [];
    for (const socket of this.#arrived.splice(0)) {
      if (this.#servesNext) {
        this.#open++;
        this.#left--;
        kept.push(socket);
      } else returned.push(this.#return(socket));
    }
    if (this.#left === 0) this.#give(this.#credit - this.#open);
    if (this.#open >= this.#credit) this.#child.link.tell("full");
    this.update();
    if (returned.length === 0) this.#begin(kept);
    else this.#beginAfter(returned, kept);
  }

  /** Begins requests once the server has the other connections: a handler that computes would hold them up. */
  #beginAfter(returned: Promise<void>[], kept: NetSocket[]): void {
    const last = this.#returning;
    this.#returning = Promise.all([last, ...returned])
      .then(() => {
        this.#begin(kept);
        this.#child.reports.flush(); // the server gives this child no other request before it knows of these
        this.#child.link.tell("sorted");
      });
  }

  #begin(sockets: NetSocket[]): void {
    for (const socket of sockets) {
      this.#turns.begin();
      this.#child.begin(socket, this.#turns.proven);
    }
  }

  /** Whether the child serves the next connection itself: it has credit, and no handler is likely to hold it up. */
  get #servesNext(): boolean {
    const hasRoom = this.#open < this.#credit && this.#left > 0;
    const isFree = this.#turns.proven ||
      this.#open === 0 && this.#child.isIdle();
    return hasRoom && !this.#paused && isFree;
  }

  /** Returns a connection to the server, with a credit if there is one to spare. Resolves when the server has it. */
  async #return(socket: NetSocket): Promise<void> {
    const credit = this.#credit > this.#open ? 1 : 0;
    if (credit === 0 && this.#debt < this.#open) this.#debt++;
    const { _handle: handle } = socket as unknown as {
      _handle: { close(): void } | null;
    };
    if (handle === null) return this.#give(credit); // the client is gone
    this.#credit -= credit;
    const { outbox, link } = this.#child;
    await outbox.returnConnection(handle, credit, link.token);
  }

  /** Stops listening, and takes what Deno has accepted already. Not called within an accept. */
  #stop(): void {
    const [server, handle] = this.#listening!;
    this.#listening = undefined;
    for (let before = -1, count = 0; count > before;) {
      before = count;
      const counting = () => count++;
      server.once("connection", counting);
      handle.onconnection(0); // gives one connection, or fails
      server.off("connection", counting);
    }
    server.close();
  }
}

function ignore(): void {}
