/**
 * The loop of a server: gets requests, handles them, and closes the server.
 *
 * @module
 */

import { nextTurn } from "../waiting/timeouts.ts";
import { checkTimeout } from "../base/arguments.ts";
import { warnOfMilliseconds } from "../base/warnings.ts";
import { SOCK_STREAM } from "../base/constants.ts";
import { osError } from "../base/errors.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import { ownerOf } from "../socket/fileno.ts";
import { anyReady } from "../waiting/when_ready.ts";
import { Start } from "../waiting/start.ts";
import type { Readiness } from "../waiting/pending_operation.ts";
import type { ServerStages, ServerState } from "../stages/stages.ts";
import { socketOf } from "../socket/select.ts";
import { acceptedAhead, isPassedOn } from "../socket/server_calls.ts";
import { type AcceptVerdict, PAUSE_MS } from "./accept_errors.ts";
import { drain } from "./drain.ts";
import { Handshakes, type SecuredRequest } from "./handshakes.ts";
import { publishClosed, publishListening } from "../stages/events.ts";
import { ProxyHeaders } from "./proxy_headers.ts";
import { enter, isInside } from "../requests/request_scope.ts";
import { Dispatcher } from "./dispatcher.ts";
import {
  NO_REQUESTS,
  type ServeForeverOptions,
  type ServerCloseOptions,
  type ServerCloseReport,
} from "../stages/server_options.ts";
import { noteLimit } from "../requests/note_limit.ts";
import { type Requests, requestsOf } from "../requests/request_registry.ts";
import {
  bothReady,
  LoopWaiter,
  readyWithin,
  untimedActions,
} from "./loop_waiter.ts";

/**
 * The most seconds that a closing server with an inherited socket waits for PROXY headers and handshakes, before it
 * aborts the signals of its handlers: some round trips, and soon for a person who waits. Arbitrary.
 */
const FINISH_ACCEPTS_SECONDS = 2;

/**
 * Runs the loop of a server, and closes the server.
 *
 * @typeParam R The type of a request.
 */
export class ServeLoop<R> {
  readonly #server: ServerStages<R>;
  readonly #requests: Requests;
  readonly #proxyHeaders: ProxyHeaders<R>;
  readonly #handshakes: Handshakes;
  readonly #dispatcher: Dispatcher<R>;
  #loop: LoopWaiter | undefined;
  /** Whether `shutdown` was called without a loop: the next loop ends at once, as in CPython. */
  #stopWanted = false;
  /** Whether the server has served. */
  #served = false;
  /** The number of calls of `handleRequest` under way. */
  #handling = 0;
  readonly #ahead: SecuredRequest[] = [];
  /** The number of requests got when the loop last began to wait for room. */
  #fullSince = 0;

  /** @param server The server. The constructor does not use its members. */
  constructor(server: ServerStages<R>) {
    this.#server = server;
    this.#requests = requestsOf(server);
    const wake = () => this.#loop?.rouse();
    this.#proxyHeaders = new ProxyHeaders(server, wake);
    this.#handshakes = new Handshakes(server, wake);
    this.#dispatcher = new Dispatcher(
      server,
      this.#proxyHeaders,
      this.#handshakes,
    );
  }

  /** The state of the server. */
  get state(): ServerState {
    const { draining, stopping, suspended, size } = this.#requests;
    if (draining) return size > 0 ? "draining" : "closed";
    if (suspended) return "suspended";
    if (this.#loop !== undefined || this.#handling > 0) {
      return stopping ? "stopping" : "serving";
    }
    return this.#served ? "stopped" : "created";
  }

  /** Handles requests until {@linkcode ServeLoop.shutdown}. */
  async serveForever(options: ServeForeverOptions): Promise<void> {
    const { signal, pollInterval = 0.5 } = options;
    const loop = this.#begin(pollInterval);
    const stop = () => void loop.stop();
    signal?.addEventListener("abort", stop);
    if (signal?.aborted || this.#stopWanted) stop();
    try {
      const start = Start.of(this.#server);
      if (start !== undefined && !await startedBefore(loop, start)) return;
      this.#checkOpen("serve");
      publishListening(this.#server);
      const served = enter(
        this.#server, // here and not for each request, which would cost 0.4 us
        () => this.#serve(loop),
      );
      await Promise.race([served, loop.abandoned]);
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#loop = undefined;
      this.#stopWanted = false;
      loop.end();
      this.#rest();
    }
  }

  #begin(pollInterval: number): LoopWaiter {
    if (this.#loop !== undefined) {
      throw new Error("Cannot serve: the server is serving already");
    }
    if (!(pollInterval > 0)) {
      throw new RangeError(
        `Cannot serve: pollInterval must be positive, got ${pollInterval}`,
      );
    }
    warnOfMilliseconds(pollInterval);
    this.#served = true;
    const idle = untimedActions.has(this.#server.serviceActions);
    return this.#loop = new LoopWaiter(idle ? undefined : pollInterval * 1000);
  }

  /** Gets requests and handles them until the stop. */
  async #serve(waiter: LoopWaiter): Promise<void> {
    const { room } = this.#requests;
    while (!waiter.stopping) {
      const source = room.ready ? this.#source : room;
      if (this.#handshakes.ready) {
        await this.#dispatcher.handleSecured(this.#handshakes.take()!);
      } else if (this.#proxyHeaders.ready) {
        await this.#dispatcher.handleOne(this.#proxyHeaders.take());
      } else if (source.ready && this.#requests.rate?.take() !== false) {
        const failed = await this.#dispatcher.handleOne();
        if (failed !== undefined) await rest(waiter, failed);
      } else if (!waiter.takeTick()) {
        if (this.#requests.full) this.#noteFull();
        await waiter.wait(source.ready ? this.#requests.rate! : source);
        continue;
      }
      const actions = this.#server.serviceActions();
      if (actions !== undefined) await actions;
    }
  }

  /** Notes that the loop waits for room, once for each request that has filled the server. */
  #noteFull(): void {
    const { accepted } = this.#requests.status;
    if (accepted === this.#fullSince) return;
    this.#fullSince = accepted;
    noteLimit(this.#server, "maxConnections", null);
  }

  /**
   * Returns the readiness of the server's socket, which a subclass may have replaced. The lookup takes 5 to 16 ns, and a
   * cached socket would be wrong when a new one has the number of the closed one.
   */
  get #source(): Readiness {
    return stateOf(socketOf(this.#server)).readable;
  }

  /** Throws unless the socket of the server is open and takes requests. */
  #checkOpen(syscall: string): void {
    const fileno = this.#server.fileno();
    if (fileno === -1) {
      throw osError("EBADF", { syscall, reason: "the server is closed" });
    }
    const socket = ownerOf(fileno);
    if (
      socket instanceof Socket && socket.type === SOCK_STREAM &&
      !stateOf(socket).listens
    ) {
      const reason =
        "the server does not listen; call serverBind() and serverActivate() first";
      throw osError("EINVAL", { syscall, reason });
    }
  }

  /** Lets the program end although an accept or a receive is in flight. The next call or loop takes its result. */
  #rest(): void {
    this.#requests.rate?.rest();
    const socket = ownerOf(this.#server.fileno());
    if (socket instanceof Socket) stateOf(socket).rest();
  }

  /** Stops the loop, or the next one. Resolves when the server gets no further request. */
  shutdown(): Promise<void> {
    if (this.#loop !== undefined) return this.#loop.stop();
    this.#stopWanted = true;
    return Promise.resolve();
  }

  /** Handles one request without a loop, or calls `handleTimeout`. */
  async handleRequest(): Promise<void> {
    this.#served = true;
    this.#handling++;
    try {
      await this.#handleRequest();
    } finally {
      this.#handling--;
    }
  }

  async #handleRequest(): Promise<void> {
    const start = Start.of(this.#server);
    if (start !== undefined) await start.wait();
    this.#checkOpen("handle a request");
    publishListening(this.#server);
    const server = this.#server;
    const socket = socketOf(server);
    if (this.#requests.full) this.#noteFull();
    const { room, rate } = this.#requests;
    const waits = bothReady(room, stateOf(socket).readable);
    const next = rate === undefined ? waits : bothReady(waits, rate);
    const limits = [socket.gettimeout(), server.timeout].filter((limit) =>
      limit !== null
    );
    const limit = limits.length > 0 ? Math.min(...limits) : null;
    if (await readyWithin(next, limit)) {
      rate?.take();
      await enter(server, () => this.#handleWhole());
    } else await server.handleTimeout();
    if (this.#loop === undefined) this.#rest();
  }

  /** Handles one request, and waits for its PROXY header and its handshake if there are any. */
  async #handleWhole(): Promise<void> {
    await this.#dispatcher.handleOne();
    await this.#handleIntroduced();
  }

  /** Waits for the PROXY headers and the handshakes under way, and handles their requests. */
  async #handleIntroduced(): Promise<void> {
    await this.#proxyHeaders.settled();
    for (let next; (next = this.#proxyHeaders.take()) !== undefined;) {
      await this.#dispatcher.handleOne(next);
    }
    await this.#handshakes.settled();
    for (let next; (next = this.#handshakes.take()) !== undefined;) {
      await this.#dispatcher.handleSecured(next);
    }
  }

  /**
   * Stops the loop, aborts the signals of the open requests, waits for them, and cuts off the rest. A request cannot
   * wait for its own end: if a request closes the server, this method resolves at once and goes on in the background.
   */
  async close(options: ServerCloseOptions): Promise<ServerCloseReport> {
    const { timeout = null } = options;
    checkTimeout(timeout);
    const start = Start.of(this.#server);
    if (start !== undefined) return await this.#closeStarting(start, timeout);
    return await this.#closeStarted(timeout);
  }

  /**
   * Closes a server whose start is in progress or has failed. Waits for the start, and throws an error that no call has
   * thrown.
   */
  async #closeStarting(
    start: Start,
    timeout: number | null,
  ): Promise<ServerCloseReport> {
    start.cancelled = true;
    const report = await this.#closeStarted(timeout);
    await anyReady([start], timeout);
    if (start.untaken) start.check();
    return report;
  }

  async #closeStarted(timeout: number | null): Promise<ServerCloseReport> {
    const requests = this.#requests;
    const begun = performance.now();
    this.#loop?.stop();
    const finishing = this.#passesOn && this.#finishAccepts(timeout);
    if (finishing) await finishing;
    requests.drain();
    this.#proxyHeaders.drain();
    void requests.idle.drain();
    this.#handshakes.drain();
    if (!requests.blockOnClose) {
      publishClosed(this.#server, NO_REQUESTS);
      return { ...NO_REQUESTS };
    }
    const passed = (performance.now() - begun) / 1000;
    const left = timeout === null ? null : Math.max(0, timeout - passed);
    const drained = requests.drained = this.#drain(left);
    return isInside(this.#server) ? { ...NO_REQUESTS } : await drained;
  }

  /** Reports whether another process accepts on the server's socket next: a socket that this process has inherited. */
  get #passesOn(): boolean {
    const socket = ownerOf(this.#server.fileno());
    return socket instanceof Socket && isPassedOn(socket);
  }

  /**
   * Takes the connections of an inherited socket that were accepted ahead, whatever `maxConnections` is: another process
   * accepts the next connections, but cannot get these. Waits for their PROXY headers and handshakes.
   */
  #finishAccepts(timeout: number | null): void | Promise<boolean> {
    const requests = this.#requests;
    const socket = ownerOf(this.#server.fileno()) as Socket;
    for (const [request, clientAddress] of acceptedAhead(socket)) {
      requests.closing = true;
      const client = this.#proxyHeaders.wanted ? undefined : clientAddress;
      const active = requests.begin(request, client);
      this.#ahead.push({ active, clientAddress });
    }
    let ready = false;
    const handled = enter(this.#server, () => this.#handleAhead())
      .then(() => void (ready = true));
    if (!this.#proxyHeaders.wanted && !this.#handshakes.wanted) return;
    const source = {
      fill: () => handled,
      get ready() {
        return ready;
      },
    };
    const seconds = Math.min(timeout ?? Infinity, FINISH_ACCEPTS_SECONDS);
    return readyWithin(source, seconds);
  }

  async #handleAhead(): Promise<void> {
    const { concurrent } = this.#requests;
    if (!concurrent) await this.#loop?.ended; // one at a time
    const handled = this.#ahead.splice(0).map((next) => () =>
      this.#dispatcher.handleAhead(next)
    );
    if (concurrent) await Promise.all(handled.map((handle) => handle()));
    else for (const handle of handled) await handle();
    await this.#handleIntroduced();
  }

  async #drain(timeout: number | null): Promise<ServerCloseReport> {
    const report = await drain(this.#server, this.#requests, timeout);
    if (report.forced > 0) this.#loop?.abandon();
    publishClosed(this.#server, report);
    return report;
  }
}

/** Waits for the start of a server, or the stop. Returns false if the stop came first. Throws the error of the start. */
async function startedBefore(
  waiter: LoopWaiter,
  start: Start,
): Promise<boolean> {
  await waiter.waitFor(start);
  if (!start.ready) return false;
  start.check();
  return true;
}

/** Waits after a failure of `getRequest`, so that a `getRequest` that fails at once leaves time for other tasks. */
async function rest(waiter: LoopWaiter, failed: AcceptVerdict): Promise<void> {
  if (failed === "transient") await nextTurn();
  else await waiter.pause(PAUSE_MS);
}
