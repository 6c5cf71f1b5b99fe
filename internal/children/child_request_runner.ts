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
import { requestsOf } from "../requests/request_registry.ts";
import { acceptedStream, runAndEnd, socketFor } from "./received_request.ts";
import { exportedHandler } from "../handoff/handler_reference.ts";
import { ServerStub } from "../handoff/server_stub.ts";
import type { HandlerClass } from "../server/handler_class.ts";
import { loadModule } from "../server/module_loading.ts";
import { fromFailure, toFailure } from "../handoff/failure.ts";
import type {
  ChildLimit,
  ExpireMessage,
  InitMessage,
  RequestMessage,
  ToChild,
} from "./messages.ts";
import type { ParentLink } from "./parent_link.ts";
import { AcceptReports } from "./accept_reports.ts";
import { ChildAcceptor } from "./child_acceptor.ts";
import type { ChildOutbox } from "./child_outbox.ts";
import { type ByteCounts, NO_BYTES } from "../socket/stream.ts";

/** The stand-in of the server in a child process: `this.server` of its handlers. */
class ChildServerStub extends ServerStub {
  readonly #link: ParentLink;

  /**
   * @param init The facts about the server.
   * @param link The channel to the server.
   */
  constructor(init: InitMessage, link: ParentLink) {
    super(init);
    this.#link = link;
  }

  override requestSignal(request: unknown): AbortSignal {
    return requestsOf(this).signal(request);
  }

  override shutdown(): Promise<void> {
    return this.#link.shutdown();
  }
}

/** Imports the module of the handler. */
export type ImportHandler = () => Promise<Record<string, unknown>>;

/** Runs the handler for each request that comes over the channel. */
export class ChildRequestRunner {
  readonly #link: ParentLink;
  readonly #importHandler: ImportHandler;
  readonly #active = new Map<number, ActiveRequest>();
  /** The requests whose connections this process has itself. */
  readonly #own = new Set<ActiveRequest>();
  readonly #idleSweep = new IdleSweep(this.#endIdle.bind(this));
  readonly #reports: AcceptReports;
  readonly #acceptor: ChildAcceptor;
  #lastAccepted = 0;
  /** The server that the handlers get, once the first message has come. */
  #server: ChildServerStub | undefined;
  /** The handler, once its module is loaded. The server sends no request before. */
  #Handler: HandlerClass | undefined;

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
    this.#reports = new AcceptReports(link);
    this.#acceptor = new ChildAcceptor({
      link,
      outbox,
      reports: this.#reports,
      isIdle: () => this.#active.size === 0,
      begin: (socket, atOnce) => void this.#begin(socket, atOnce),
    });
  }

  /** Handles a message from the server. */
  onMessage(message: ToChild, socket?: NetSocket): void {
    switch (message.type) {
      case "init":
        return void this.#init(message);
      case "request":
        return void this.#take(message, socket);
      case "result":
        return this.#link.settle(message);
      case "sync":
        return this.#link.synced();
      case "leave":
        return Deno.exit();
      case "expire":
        return this.#expire(message);
      case "limitIdle":
        return this.#limitIdle(message.idleTimeout);
      case "drain":
        return requestsOf(this.#server!).drain();
      case "endIdle":
        return void requestsOf(this.#server!).idleWaits.drain();
      default:
        return this.#acceptor.onMessage(message, socket);
    }
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
      await this.#run(message, Socket.from(stream()));
    } finally {
      this.#acceptor.ended();
    }
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

  /** Loads the module of the handler. */
  async #init(message: InitMessage): Promise<void> {
    this.#link.identify(message.token);
    this.#limitIdle(message.idleTimeout);
    const server = new ChildServerStub(message, this.#link);
    this.#server = server;
    const { idleWaits } = requestsOf(server);
    idleWaits.onChange = () => this.#link.idle(() => idleWaits.size);
    reportLimits(server, (limit, request) => this.#report(limit, request));
    const place = "in another process";
    try {
      const module = await loadModule(place, this.#importHandler);
      this.#Handler = exportedHandler(module, message.exportName, place);
    } catch (error) {
      return this.#link.ready(toFailure(error));
    }
    this.#link.ready();
  }

  /** Runs the handler for a request that the server has given to this process. */
  async #take(message: RequestMessage, socket?: NetSocket): Promise<void> {
    this.#link.begin(message.id);
    this.#acceptor.noteRequest();
    await this.#run(message, socketFor(message, this.#link, socket));
  }

  /** Runs the handler, closes a connection as the server does, and reports the end to the server. */
  async #run(message: RequestMessage, socket: Socket): Promise<void> {
    const { id, kind, client, packet } = message;
    const request = kind === "datagram" ? [packet, socket] : socket;
    const server = this.#server!;
    const active = requestsOf(server).begin(request, client);
    const own = kind === "handle"; // the server looks after the others, and counts their bytes
    this.#active.set(id, active);
    if (own) this.#own.add(active);
    if (own) this.#idleSweep.begin(active);
    const startedAt = performance.now();
    try {
      const run = () => runHandler(new this.#Handler!(request, client, server));
      await runAndEnd(run, requestsOf(server), active);
      this.#finished(id, active, performance.now() - startedAt, own);
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
    if (id > 0) this.#acceptor.update(); // the child may be idle now
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
