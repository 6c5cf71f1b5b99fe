/**
 * Runs the requests of a child process.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import { endRequest } from "../socket/server_calls.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import { OSError } from "../base/errors.ts";
import { reportLimits } from "../requests/note_limit.ts";
import type { LimitName } from "../stages/stages.ts";
import { IdleSweep } from "../requests/request_timer.ts";
import { endNow, timeError } from "../requests/time_limits.ts";
import { noteHeader } from "../proxy/known_headers.ts";
import { runHandler } from "../server/run_handler.ts";
import type { ActiveRequest } from "../requests/active_request.ts";
import { type Requests, requestsOf } from "../requests/request_registry.ts";
import {
  ChildDatagramTransport,
  ChildStreamTransport,
  ReceivedStream,
} from "./child_transports.ts";
import { type HandlerClass, loadModule } from "../server/handler_class.ts";
import { ServerStub } from "../handoff/server_stub.ts";
import { forwardedSocket } from "../ssl/forwarded_socket.ts";
import { fromFailure, toFailure } from "../handoff/failure.ts";
import { exportedHandler } from "../handoff/handler_reference.ts";
import type {
  ChildLimit,
  ExpireMessage,
  InitMessage,
  ListenMessage,
  PauseMessage,
  RequestMessage,
  ToChild,
} from "./messages.ts";
import type { ParentLink } from "./parent_link.ts";
import { AcceptReports } from "./accept_reports.ts";
import { type AcceptedRequests, ChildAcceptor } from "./child_acceptor.ts";
import type { ChildOutbox } from "./child_outbox.ts";
import { fromTransport } from "../base/address.ts";
import { NO_BYTES } from "../socket/stream.ts";
import type { ParkedHandle } from "../runtime/parked_listener.ts";

/** The stand-in of the server in a child process: `this.server` of its handlers. */
class ChildServerStub extends ServerStub {
  readonly #link: ParentLink;

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

/** The handler and the server that it gets, once the first message has come and the module is loaded. */
interface LoadedHandler {
  readonly server: ChildServerStub;
  readonly Handler: HandlerClass;
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
    this.#acceptor = new ChildAcceptor(this.#acceptedRequests());
  }

  /** Returns the requests of this process as its accepts see them. */
  #acceptedRequests(): AcceptedRequests {
    const idle = () => this.#active.size === 0;
    return {
      get idle() {
        return idle();
      },
      begin: (socket, atOnce) => void this.#begin(socket, atOnce),
      giveBack: (socket, credit) => this.#giveBack(socket, credit),
      sorted: () => {
        this.#reports.flush(); // the server gives this child no other request before it knows of these
        this.#link.tell("alive");
      },
      listening: (on) => this.#link.tell(on ? "listens" : "rests"),
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
      case "leave":
        return Deno.exit();
      case "expire":
        return void this.#loaded?.then(() => this.#expire(message), () => {});
      case "limitIdle":
        return this.#limitIdle(message.idleTimeout);
      case "drain":
        this.#loaded?.then(
          ({ server }) => requestsOf(server).drain(),
          () => {},
        );
        return;
      case "endIdle":
        this.#loaded?.then(
          ({ server }) => requestsOf(server).idleWaits.drain(),
          () => {},
        );
    }
  }

  /** Gets the listening socket. */
  #listen(message: ListenMessage, handle: ParkedHandle): void {
    const { unix, backlog, requests } = message;
    this.#link.synced();
    this.#acceptor.start(handle, unix, backlog, requests);
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
      const { localAddress, remoteAddress: hostname, remotePort: port } =
        socket;
      const { serverAddress } = this.#server!;
      const unix = typeof serverAddress === "string";
      if (!unix && (hostname === undefined || localAddress === undefined)) {
        socket.destroy();
        return this.#reports.gone();
      }
      const local = unix
        ? { transport: "unix", path: serverAddress }
        : undefined;
      const remote = unix
        ? { transport: "unix", path: "" }
        : { transport: "tcp", hostname, port };
      const client = fromTransport(remote);
      this.#reports.began(id, client);
      if (!atOnce) await this.#reports.written();
      const base = Socket.from(
        new ReceivedStream(socket, local, unix ? remote : undefined),
      );
      const message: RequestMessage = {
        type: "request",
        kind: "handle",
        id,
        client,
      };
      await this.#run(this.#handler!, message, base);
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
    const loaded = loadModule("in another process", this.#importHandler);
    this.#loaded = loaded.then((module) => ({
      server,
      Handler: exportedHandler(
        module,
        message.exportName,
        "in another process",
      ),
    }));
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
    const base = message.kind === "handle"
      ? takenSocket(message, socket)
      : this.#relayed(message);
    if (message.proxy !== undefined) noteHeader(base, message.proxy);
    try {
      await this.#run(await this.#loaded!, message, base);
    } catch (error) {
      this.#link.failed(message.id, error);
    }
  }

  #relayed(message: RequestMessage): Socket {
    return message.kind === "relay"
      ? forwardedSocket(
        new ChildStreamTransport(this.#link, message),
        message.tls,
      )
      : Socket.from(new ChildDatagramTransport(this.#link, message));
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
    this.#active.set(id, active);
    if (kind === "handle") this.#own.add(active); // the server looks after the others
    if (kind === "handle") this.#idleSweep.begin(active);
    const counts = () =>
      kind === "handle" && active.request instanceof Socket
        ? stateOf(active.request).byteCounts
        : undefined; // the server counts the others itself
    const begun = performance.now();
    try {
      const run = () => runHandler(new Handler(request, client, server));
      await runAndEnd(run, requestsOf(server), active);
      const idle = active.end === "idle";
      const ms = performance.now() - begun;
      if (id > 0) this.#link.done(id, ms, counts(), idle);
      else this.#reports.finished(id, ms, counts() ?? NO_BYTES, idle);
    } catch (error) {
      if (id > 0) this.#link.failed(id, error, counts());
      else this.#reports.failed(id, error, counts() ?? NO_BYTES);
    } finally {
      this.#active.delete(id);
      this.#own.delete(active);
      this.#idleSweep.end(active);
      if (id > 0) this.#acceptor.look(); // the child may be idle now
    }
  }
}

/** Runs the handler of a request, and ends the request. */
async function runAndEnd(
  run: () => void | Promise<void>,
  requests: Requests,
  active: ActiveRequest,
): Promise<void> {
  const { request } = active;
  try {
    await run();
  } finally {
    if (request instanceof Socket) await endStreams(requests, request);
    requests.end(active);
  }
}

function takenSocket(message: RequestMessage, socket?: NetSocket): Socket {
  if (socket === undefined) return new Socket(); // the client was gone
  const { local, remote, early } = message;
  return Socket.from(new ReceivedStream(socket, local, remote, early));
}

/** Ends the stream of a request, or of the one that its handler has put in its place. */
async function endStreams(requests: Requests, socket: Socket): Promise<void> {
  const { replaced } = requests;
  const current = replaced?.currentOf(socket) ?? socket;
  if (current instanceof Socket) await endStream(current);
  replaced?.closeFormer(current);
}

async function endStream(socket: Socket): Promise<void> {
  if (!endsByClosing(socket)) await endWrite(socket);
  stateOf(socket).close(false);
}

/**
 * Reports whether the stream can be closed without `shutdown` first: all bytes are sent, and none of the client's are
 * unread, which would reset the connection. That saves a system call and some work of `node:net`: 3 percent of the rate
 * of connections that echo 64 bytes.
 */
function endsByClosing(socket: Socket): boolean {
  const stream = stateOf(socket).stream;
  return stream?.transport instanceof ReceivedStream &&
    stream.transport.ended &&
    stream.sendQueue.ready;
}

async function endWrite(socket: Socket): Promise<void> {
  try {
    await endRequest(socket);
  } catch (error) {
    if (!(error instanceof OSError)) throw error; // the client is gone, or the handler closed it
  }
}
