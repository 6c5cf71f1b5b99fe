/**
 * The accepts of a child process.
 *
 * @module
 */

import type { Server as NetServer, Socket as NetSocket } from "node:net";
import { TurnWatch } from "./turn_watch.ts";
import {
  type ListenHandle,
  listenOn,
  type ParkedHandle,
  parkHandle,
} from "../runtime/node/node_handles.ts";

/**
 * The interval in ms at which a child listens again. Deno (2.9.6, `node:net`) stops accepting, without an error, when no
 * descriptor is left, and listening again resumes it. Arbitrary.
 */
const REARM_MS = 1000;

/** The calls that a {@linkcode ChildAcceptor} makes for the connections that it accepts. */
export interface ChildAcceptorHooks {
  /** Whether no request is open, wherever it was accepted. */
  readonly idle: boolean;
  /**
   * Runs the handler for a connection: at once, or, if the handler may compute, once the server knows of the request.
   * Calls {@linkcode ChildAcceptor.ended} when the request has ended.
   */
  begin(socket: NetSocket, atOnce: boolean): void;
  /** Returns a connection to the server, with its credit or without. Resolves when the server has it. */
  giveBack(socket: NetSocket, credit: number): Promise<void>;
  /** Notes that connections were returned, and the others have begun. */
  sorted(): void;
  /** Notes whether the child listens. */
  listening(on: boolean): void;
  /** Notes that the child has used all of its credit. */
  full(): void;
  /** Notes that the child has given up `credit`. */
  gave(credit: number): void;
}

/**
 * Accepts connections on the listening socket of the server, as long as there is credit: the number of requests that this
 * child may have open. `node:net` of Deno (2.9.6) takes all connections from the system that wait there, so the child
 * returns those that it cannot serve at once, each with one of its credits. While handlers hold up the event loop, or nobody
 * knows yet, it serves one, and returns the others: they would wait behind a handler, while other children are idle.
 */
export class ChildAcceptor {
  readonly #hooks: ChildAcceptorHooks;
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

  /** @param hooks The calls for the connections. */
  constructor(hooks: ChildAcceptorHooks) {
    this.#hooks = hooks;
    const rearm = setInterval(
      () => this.#listening?.[1].listen(this.#backlog),
      REARM_MS,
    );
    Deno.unrefTimer(rearm);
  }

  /** Gets the listening socket of the server. */
  start(handle: ParkedHandle, backlog: number, left: number): void {
    this.#parked = parkHandle(handle);
    handle.close();
    this.#backlog = backlog;
    this.#left = left;
    this.look();
  }

  /** Notes a request whose connection the server has accepted. */
  noteRequest(): void {
    if (this.#parked === undefined) return;
    this.#turns.begin();
    this.look();
  }

  /** Gets more credit. */
  grant(credit: number): void {
    this.#credit += credit;
    this.look();
  }

  /** Gives up credit, as far as no request uses it; reports also that it has none to give. */
  reclaim(credit: number): void {
    const given = Math.max(0, Math.min(credit, this.#credit - this.#open));
    this.#credit -= given;
    this.#hooks.gave(given);
    this.look();
  }

  /** Stops accepting, or goes on. */
  set paused(paused: boolean) {
    if (this.#arrived.length > 0) this.#sort(); // under the old setting
    this.#paused = paused;
    this.look();
    if (this.#arrived.length > 0) this.#sort(); // those that Deno had accepted
  }

  /** Notes that a request has ended that this child has accepted. */
  ended(): void {
    this.#open--;
    if (this.#debt > 0) {
      this.#debt--;
      this.#give(1);
    } else if (this.#left === 0) this.#give(this.#credit - this.#open);
    this.look();
  }

  #give(credit: number): void {
    if (!(credit > 0)) return;
    this.#credit -= credit;
    this.#hooks.gave(credit);
  }

  get #room(): boolean {
    return this.#open < this.#credit && this.#left > 0;
  }

  /** Listens while the child can serve the next connection, and only then. */
  look(): void {
    const wanted = this.#takes;
    if (wanted === (this.#listening !== undefined)) return;
    if (wanted) this.#listen();
    else this.#stop();
    this.#hooks.listening(this.#listening !== undefined);
  }

  #listen(): void {
    if (this.#parked === undefined) return;
    const listening = listenOn(this.#parked, this.#backlog);
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
      if (this.#takes) {
        this.#open++;
        this.#left--;
        kept.push(socket);
      } else returned.push(this.#return(socket));
    }
    if (this.#left === 0) this.#give(this.#credit - this.#open);
    if (this.#open >= this.#credit) this.#hooks.full();
    this.look();
    if (returned.length === 0) this.#begin(kept);
    else this.#beginAfter(returned, kept);
  }

  /** Begins requests once the server has the other connections: a handler that computes would hold them up. */
  #beginAfter(returned: Promise<void>[], kept: NetSocket[]): void {
    const last = this.#returning;
    this.#returning = Promise.all([last, ...returned])
      .then(() => {
        this.#begin(kept);
        this.#hooks.sorted();
      });
  }

  /** Resolves when the server has all connections that this child returns, and the others have begun. */
  async settled(): Promise<void> {
    await this.#returning;
  }

  #begin(sockets: NetSocket[]): void {
    for (const socket of sockets) {
      this.#turns.begin();
      this.#hooks.begin(socket, this.#turns.free);
    }
  }

  /** Whether the child serves the next connection itself. */
  get #takes(): boolean {
    return this.#room && !this.#paused && this.#mayWait;
  }

  /** Whether a connection may come to this child: no handler is likely to hold it up. */
  get #mayWait(): boolean {
    return this.#turns.free || this.#open === 0 && this.#hooks.idle;
  }

  #return(socket: NetSocket): Promise<void> {
    const credit = this.#credit > this.#open ? 1 : 0;
    if (credit === 0 && this.#debt < this.#open) this.#debt++;
    this.#credit -= credit;
    return this.#hooks.giveBack(socket, credit);
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
