/**
 * The loop of a server: gets requests and handles them.
 *
 * @module
 */

import { nextTurn } from "../waiting/turns.ts";
import { warnOfMilliseconds } from "../base/warnings.ts";
import { SOCK_STREAM } from "../base/constants.ts";
import { osError } from "../base/translate_error.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import { ownerOf } from "../socket/fileno.ts";
import { Start } from "../waiting/start.ts";
import type { Readiness } from "../waiting/pending_operation.ts";
import type { ServerStages } from "../stages/stages.ts";
import type { ServerState } from "../stages/server_status.ts";
import { readReadiness, socketOf } from "../socket/select.ts";
import { type AcceptVerdict, PAUSE_MS } from "./accept_errors.ts";
import { publishListening } from "../stages/events.ts";
import { enter } from "./inside_server.ts";
import { Dispatcher } from "./dispatcher.ts";
import { ServerCloser } from "./server_closer.ts";
import type {
  ServeForeverOptions,
  ServerCloseOptions,
  ServerCloseReport,
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
 * Runs the loop of a server.
 *
 * @typeParam R The type of a request.
 */
export class ServeLoop<R> {
  readonly #server: ServerStages<R>;
  readonly #requests: Requests;
  readonly #dispatcher: Dispatcher<R>;
  readonly #closer: ServerCloser<R>;
  #waiter: LoopWaiter | undefined;
  /** Whether `shutdown` was called without a loop: the next loop ends at once, as in CPython. */
  #stopWanted = false;
  /** Whether the server has served. */
  #served = false;
  /** The number of calls of `handleRequest` under way. */
  #handling = 0;
  /** The number of requests got when the loop last began to wait for room. */
  #acceptedWhenFull = 0;

  /** @param server The server. The constructor does not use its members. */
  constructor(server: ServerStages<R>) {
    this.#server = server;
    this.#requests = requestsOf(server);
    this.#dispatcher = new Dispatcher(server, () => this.#waiter?.rouse());
    this.#closer = new ServerCloser(
      server,
      this.#dispatcher,
      () => this.#waiter,
    );
  }

  /** The state of the server. */
  get state(): ServerState {
    const { draining, stopping, limits, size } = this.#requests;
    if (draining) return size > 0 ? "draining" : "closed";
    if (limits.suspended) return "suspended";
    if (this.#waiter !== undefined || this.#handling > 0) {
      return stopping ? "stopping" : "serving";
    }
    return this.#served ? "stopped" : "created";
  }

  /** Handles requests until {@linkcode ServeLoop.shutdown}. */
  async serveForever(options: ServeForeverOptions): Promise<void> {
    const { signal, pollInterval = 0.5 } = options;
    const waiter = this.#begin(pollInterval);
    const stop = () => void waiter.stop();
    signal?.addEventListener("abort", stop);
    if (signal?.aborted || this.#stopWanted) stop();
    try {
      const start = Start.of(this.#server);
      if (start !== undefined && !await startedBefore(waiter, start)) return;
      this.#checkOpen("serve");
      publishListening(this.#server);
      const served = enter(this.#server, () => this.#serve(waiter));
      await Promise.race([served, waiter.abandoned]);
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#waiter = undefined;
      this.#stopWanted = false;
      waiter.end();
      this.#unref();
    }
  }

  #begin(pollInterval: number): LoopWaiter {
    if (this.#waiter !== undefined) {
      throw new Error("Cannot serve: the server is serving already");
    }
    if (!(pollInterval > 0)) {
      throw new RangeError(
        `Cannot serve: pollInterval must be positive, got ${pollInterval}`,
      );
    }
    warnOfMilliseconds(pollInterval);
    this.#served = true;
    const untimed = untimedActions.has(this.#server.serviceActions);
    return this.#waiter = new LoopWaiter(
      untimed ? undefined : pollInterval * 1000,
    );
  }

  /** Gets requests and handles them until the stop. */
  async #serve(waiter: LoopWaiter): Promise<void> {
    const { limits } = this.#requests;
    const { ready } = this.#dispatcher;
    while (!waiter.stopping) {
      const source = limits.ready ? this.#source : limits;
      if (ready.length > 0) await this.#dispatcher.handleReady(ready.shift()!);
      else if (source !== limits && source.ready && this.#takePlace()) {
        const failed = await this.#dispatcher.handleNext();
        if (failed !== undefined) {
          limits.places?.give();
          await pauseAfter(waiter, failed);
        }
      } else if (!waiter.takeTick()) {
        await this.#wait(waiter, source);
        continue;
      }
      const actions = this.#server.serviceActions();
      if (actions !== undefined) await actions;
    }
  }

  /**
   * Takes the place of the next request: one that the workers share, or one of `maxAcceptRate`. True if there is no such
   * limit.
   */
  #takePlace(): boolean {
    const { places, rate } = this.#requests.limits;
    return (places ?? rate)?.take() ?? true;
  }

  /** Waits for a request; if one waits already, for the limit that holds it back. */
  #wait(waiter: LoopWaiter, source: Readiness): Promise<void> {
    const { limits } = this.#requests;
    if (source !== limits) {
      return waiter.wait(source.ready ? limits.rate ?? limits : source);
    }
    if (limits.full) this.#noteFull();
    return waiter.wait(limits);
  }

  /** Notes that the loop waits for room, once for each request that has filled the server. */
  #noteFull(): void {
    const { limits, size, ownCounters: { accepted } } = this.#requests;
    const { places, max } = limits;
    if (places !== undefined) {
      if (!places.takeFilled()) return; // the worker that has taken the last place notes it
    } else if (accepted === this.#acceptedWhenFull || size < max) return;
    this.#acceptedWhenFull = accepted;
    noteLimit(this.#server, "maxConnections", null);
  }

  /**
   * Returns the readiness of the server's socket, which a subclass may have replaced. The lookup takes 5 to 16 ns, and a
   * cached socket would be wrong when a new one has the number of the closed one.
   */
  get #source(): Readiness {
    return readReadiness(stateOf(socketOf(this.#server)));
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
      !stateOf(socket).canReceive
    ) {
      const reason =
        "the server does not listen; call serverBind() and serverActivate() first";
      throw osError("EINVAL", { syscall, reason });
    }
  }

  /** Lets the program end although an accept or a receive is in flight. The next call or loop takes its result. */
  #unref(): void {
    this.#requests.limits.rate?.endWait();
    const socket = ownerOf(this.#server.fileno());
    if (socket instanceof Socket) stateOf(socket).unref();
  }

  /** Stops the loop, or the next one. Resolves when the server gets no further request. */
  shutdown(): Promise<void> {
    if (this.#waiter !== undefined) return this.#waiter.stop();
    this.#stopWanted = true;
    return Promise.resolve();
  }

  /** Closes the server. */
  close(options: ServerCloseOptions): Promise<ServerCloseReport> {
    return this.#closer.close(options);
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
    const { limits } = this.#requests;
    if (limits.full) this.#noteFull();
    const both = bothReady(limits, readReadiness(stateOf(socket)));
    const { rate } = limits;
    const next = rate === undefined ? both : bothReady(both, rate);
    const timeouts = [socket.gettimeout(), server.timeout].filter((seconds) =>
      seconds !== null
    );
    const limit = timeouts.length > 0 ? Math.min(...timeouts) : null;
    if (await readyWithin(next, limit)) {
      rate?.take();
      await enter(server, () => this.#handleWhole());
    } else await server.handleTimeout();
    if (this.#waiter === undefined) this.#unref();
  }

  /** Handles one request, and waits for its PROXY header and its handshake if there are any. */
  async #handleWhole(): Promise<void> {
    await this.#dispatcher.handleNext();
    await this.#dispatcher.handlePending();
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
async function pauseAfter(
  waiter: LoopWaiter,
  failed: AcceptVerdict,
): Promise<void> {
  if (failed === "transient") await nextTurn();
  else await waiter.pause(PAUSE_MS);
}
