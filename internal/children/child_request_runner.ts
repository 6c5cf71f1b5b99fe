/**
 * Runs the requests of a child process.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type { OSError } from "../base/errors.ts";
import { reportLimits } from "../requests/note_limit.ts";
import type { LimitName } from "../stages/server_status.ts";
import { IdleSweep } from "../requests/request_timer.ts";
import { endNow, timeError } from "../requests/time_limits.ts";
import { runHandler } from "../server/request_stages.ts";
import type { ActiveRequest } from "../requests/active_requests.ts";
import { type Requests, requestsOf } from "../requests/request_registry.ts";
import {
  ChildServerStub,
  type ImportHandler,
  type LoadedHandler,
  loadHandler,
} from "./loaded_handler.ts";
import { acceptedStream, runAndEnd, socketFor } from "./received_request.ts";
import { fromFailure, toFailure } from "../handoff/failure.ts";
import type { ListenMessage, PauseMessage } from "./accept_messages.ts";
import type {
  ChildLimit,
  ExpireMessage,
  InitMessage,
  RequestMessage,
  ToChild,
} from "./messages.ts";
import type { ParentLink } from "./parent_link.ts";
import { AcceptReports } from "./accept_reports.ts";
import { ChildAcceptor, type ChildAcceptorHooks } from "./child_acceptor.ts";
import type { ChildOutbox } from "./child_outbox.ts";
import { type ByteCounts, NO_BYTES } from "../socket/stream.ts";
import type { ParkedHandle } from "../runtime/node/node_handles.ts";

/** Runs the handler for each request that comes over the channel. */
export class ChildRequestRunner {
  readonly #link: ParentLink;
  readonly #importHandler: ImportHandler;
  readonly #active = new Map<number, ActiveRequest>();
  /** The requests whose connections this process has itself. */
  readonly #own = new Set<ActiveRequest>();
  readonly #idleSweep = new IdleSweep(this.#endIdle.bind(this));
  readonly #outbox: ChildOutbox;
  readonly #reports: AcceptReports;
  readonly #acceptor: ChildAcceptor;
  #lastAccepted = 0;
  #loaded: Promise<LoadedHandler> | undefined;
  #handler: LoadedHandler | undefined;
  #server: ChildServerStub | undefined;

  /**
   * @param link The channel to the server.
   * @param importHandler Imports the module of the handler.
   * @param outbox Returns connections to the server.
   */
  constructor(
    link: ParentLink,
    importHandler: ImportHandler,
    outbox: ChildOutbox,
  ) {
    this.#link = link;
    this.#importHandler = importHandler;
    this.#outbox = outbox;
    this.#reports = new AcceptReports(link);
    this.#acceptor = new ChildAcceptor(this.#acceptorHooks());
  }

  /** Returns the requests of this process as its accepts see them. */
  #acceptorHooks(): ChildAcceptorHooks {
    const idle = () => this.#active.size === 0;
    return {
      get idle() {
        return idle();
      },
      begin: (socket, atOnce) => void this.#begin(socket, atOnce),
      giveBack: (socket, credit) => this.#giveBack(socket, credit),
      sorted: () => {
        this.#reports.flush(); // the server gives this child no other request before it knows of these
        this.#link.tell("sorted");
      },
      listening: (on) => this.#link.listening(on),
      full: () => this.#link.tell("full"),
      gave: (credit) => this.#link.gave(credit),
    };
  }

  /** Handles a message from the server. */
  onMessage(message: ToChild, socket?: NetSocket): void {
    switch (message.type) {
      case "init":
        return this.#init(message);
      case "request":
        return void this.#take(message, socket);
      case "result":
        return this.#link.settle(message);
      case "sync":
        return this.#link.synced();
      case "leave":
        return Deno.exit();
      case "expire":
        return this.#onceLoaded(() => this.#expire(message));
      case "limitIdle":
        return this.#limitIdle(message.idleTimeout);
      case "drain":
        return this.#onceLoaded((requests) => requests.drain());
      case "endIdle":
        return this.#onceLoaded((requests) => requests.idleWaits.drain());
      default:
        return this.#onAcceptMessage(message, socket);
    }
  }

  /** Calls `action` once the module is loaded. */
  #onceLoaded(action: (requests: Requests) => void): void {
    this.#loaded?.then(({ server }) => action(requestsOf(server)), () => {});
  }

  /** Handles a message about the accepts of this process. */
  #onAcceptMessage(message: ToChild, socket?: NetSocket): void {
    switch (message.type) {
      case "listen":
        return this.#listen(message, socket as unknown as ParkedHandle);
      case "credit":
        return message.credit > 0
          ? this.#acceptor.grant(message.credit)
          : this.#acceptor.reclaim(-message.credit);
      case "probe":
        return this.#link.tell("alive");
      case "pause":
        return void this.#pause(message);
      case "take":
        return this.#outbox.take();
      case "taken":
        return this.#outbox.taken();
    }
  }

  /** Gets the listening socket. */
  #listen(message: ListenMessage, handle: ParkedHandle): void {
    const { backlog, requests } = message;
    this.#link.synced();
    this.#acceptor.start(handle, backlog, requests);
  }

  async #pause({ paused, each }: PauseMessage): Promise<void> {
    this.#acceptor.paused = paused;
    await this.#acceptor.settled();
    this.#reports.each = each;
    this.#reports.flush();
    this.#link.tell("paused");
  }

  /** Runs the handler for a connection that this process has accepted. */
  async #begin(socket: NetSocket, atOnce: boolean): Promise<void> {
    const id = --this.#lastAccepted;
    try {
      const accepted = acceptedStream(socket);
      if (accepted === undefined) return this.#reports.gone();
      const { client, stream } = accepted;
      this.#reports.began(id, client);
      if (!atOnce) await this.#reports.written();
      const message = { type: "request", kind: "handle", id, client } as const;
      await this.#run(this.#handler!, message, Socket.from(stream()));
    } finally {
      this.#acceptor.ended();
    }
  }

  async #giveBack(socket: NetSocket, credit: number): Promise<void> {
    const { _handle: handle } = socket as unknown as {
      _handle: { close(): void } | null;
    };
    if (handle === null) { // the client is gone
      if (credit > 0) this.#link.gave(credit);
      return;
    }
    await this.#outbox.returnConnection(handle, credit, this.#link.token);
  }

  /** Sets the seconds that a connection may be idle which this process has itself. */
  #limitIdle(seconds: number | null): void {
    this.#idleSweep.setLimit(seconds, this.#own);
  }

  /** Tells the server that a request is over a limit. */
  #report(limit: LimitName, request: unknown): void {
    this.#reports.flush(); // the server knows the request then
    for (const [id, active] of this.#active) {
      if (active.request === request) this.#link.limit(id, limit as ChildLimit);
    }
  }

  /** Ends requests whose connections were idle for too long, and tells the server. */
  #endIdle(over: ActiveRequest[], seconds: number): void {
    this.#reports.flush(); // the server knows the requests then
    for (const [id, active] of this.#active) {
      if (!over.includes(active)) continue;
      this.#link.limit(id, "idleTimeout");
      endNow(active, timeError("idleTimeout", seconds));
    }
  }

  /** Ends a request whose time is up, unless it has ended. */
  #expire({ id, error }: ExpireMessage): void {
    const active = this.#active.get(id);
    if (active !== undefined) endNow(active, fromFailure(error) as OSError);
  }

  #init(message: InitMessage): void {
    this.#link.identify(message.token);
    this.#limitIdle(message.idleTimeout);
    const server = new ChildServerStub(message, this.#link);
    const { idleWaits } = requestsOf(server);
    idleWaits.onChange = () => this.#link.idle(() => idleWaits.size);
    reportLimits(server, (limit, request) => this.#report(limit, request));
    this.#loaded = loadHandler(server, message.exportName, this.#importHandler);
    this.#server = server;
    this.#loaded.then(
      (loaded) => {
        this.#handler = loaded;
        this.#link.ready();
      },
      (error) => this.#link.ready(toFailure(error)),
    );
  }

  async #take(message: RequestMessage, socket?: NetSocket): Promise<void> {
    this.#link.begin(message.id);
    this.#acceptor.noteRequest();
    const base = socketFor(message, this.#link, socket);
    try {
      await this.#run(await this.#loaded!, message, base);
    } catch (error) {
      this.#link.failed(message.id, error);
    }
  }

  /** Runs the handler, closes a connection as the server does, and reports the end to the server. */
  async #run(
    { server, Handler }: LoadedHandler,
    message: RequestMessage,
    socket: Socket,
  ): Promise<void> {
    const { id, kind, client, packet } = message;
    const request = kind === "datagram" ? [packet, socket] : socket;
    const active = requestsOf(server).begin(request, client);
    const own = kind === "handle"; // the server looks after the others, and counts their bytes
    this.#active.set(id, active);
    if (own) this.#own.add(active);
    if (own) this.#idleSweep.begin(active);
    const begun = performance.now();
    try {
      const run = () => runHandler(new Handler(request, client, server));
      await runAndEnd(run, requestsOf(server), active);
      this.#finished(id, active, performance.now() - begun, own);
    } catch (error) {
      this.#failed(id, active, error, own);
    } finally {
      this.#forget(id, active);
    }
  }

  /** Forgets a request that has ended. */
  #forget(id: number, active: ActiveRequest): void {
    this.#active.delete(id);
    this.#own.delete(active);
    this.#idleSweep.end(active);
    if (id > 0) this.#acceptor.look(); // the child may be idle now
  }

  /** Reports the end of a request to the server. */
  #finished(id: number, active: ActiveRequest, ms: number, own: boolean): void {
    const counts = own ? countsOf(active) : undefined;
    const idle = active.end === "idle";
    if (id > 0) this.#link.done(id, ms, counts, idle);
    else this.#reports.finished(id, ms, counts ?? NO_BYTES, idle);
  }

  /** Reports the error of a request to the server. */
  #failed(id: number, active: ActiveRequest, error: unknown, own: boolean) {
    const counts = own ? countsOf(active) : undefined;
    if (id > 0) this.#link.failed(id, error, counts);
    else this.#reports.failed(id, error, counts ?? NO_BYTES);
  }
}

/** Returns the bytes that the connection of a request has moved. */
function countsOf({ request }: ActiveRequest): ByteCounts | undefined {
  return request instanceof Socket ? stateOf(request).byteCounts : undefined;
}
