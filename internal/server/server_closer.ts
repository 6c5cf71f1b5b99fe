/**
 * Closes a server: stops its loop, hands over or finishes what has been accepted, and drains its requests.
 *
 * @module
 */

import { checkTimeout } from "../base/arguments.ts";
import { type Requests, requestsOf } from "../requests/request_registry.ts";
import { ownerOf } from "../socket/fileno.ts";
import { isPassedOn, takeAcceptedAhead } from "../socket/server_calls.ts";
import { Socket } from "../socket/socket_object.ts";
import { publishClosed } from "../stages/events.ts";
import {
  EMPTY_REPORT,
  type ServerCloseOptions,
  type ServerCloseReport,
} from "../stages/server_options.ts";
import type { ServerStages } from "../stages/stages.ts";
import { Start } from "../waiting/start.ts";
import { anyReady } from "../waiting/when_ready.ts";
import type { AcceptedAhead, Dispatcher } from "./dispatcher.ts";
import { drain } from "./drain.ts";
import { enter, isInside } from "./inside_server.ts";
import { type LoopWaiter, readyWithin } from "./loop_waiter.ts";

/**
 * The most seconds that a closing server with an inherited socket waits for PROXY headers and handshakes, before it
 * aborts the signals of its handlers: long enough for some round trips, and short for a person who waits. Arbitrary.
 */
const FINISH_ACCEPTS_SECONDS = 2;

/**
 * Closes a server.
 *
 * @typeParam R The type of a request.
 */
export class ServerCloser<R> {
  readonly #server: ServerStages<R>;
  readonly #requests: Requests;
  readonly #dispatcher: Dispatcher<R>;
  readonly #waiter: () => LoopWaiter | undefined;

  /**
   * @param server The server.
   * @param dispatcher The stages of its requests.
   * @param waiter Returns the waiter of its loop; undefined if it does not serve.
   */
  constructor(
    server: ServerStages<R>,
    dispatcher: Dispatcher<R>,
    waiter: () => LoopWaiter | undefined,
  ) {
    this.#server = server;
    this.#requests = requestsOf(server);
    this.#dispatcher = dispatcher;
    this.#waiter = waiter;
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
    const startedAt = performance.now();
    this.#waiter()?.stop();
    const finishing = this.#passesOn && this.#finishAccepts(timeout);
    if (finishing) await finishing;
    requests.drain();
    this.#dispatcher.drain();
    void requests.idleWaits.drain();
    if (!requests.limits.blockOnClose) {
      publishClosed(this.#server, EMPTY_REPORT);
      return { ...EMPTY_REPORT };
    }
    const passed = (performance.now() - startedAt) / 1000;
    const left = timeout === null ? null : Math.max(0, timeout - passed);
    const drained = requests.drained = this.#drain(left);
    return isInside(this.#server) ? { ...EMPTY_REPORT } : await drained;
  }

  /** Whether the socket was inherited, so that another process accepts on it next. */
  get #passesOn(): boolean {
    const socket = ownerOf(this.#server.fileno());
    return socket instanceof Socket && isPassedOn(socket);
  }

  /**
   * Takes the connections of an inherited socket that were accepted ahead, even beyond `maxConnections`: another process
   * accepts the next connections, but cannot get these. Waits for their PROXY headers and handshakes.
   */
  #finishAccepts(timeout: number | null): void | Promise<boolean> {
    const requests = this.#requests;
    const socket = ownerOf(this.#server.fileno()) as Socket;
    const ahead: AcceptedAhead<R>[] = [];
    for (const [request, peerAddress] of takeAcceptedAhead(socket)) {
      requests.limits.closing = true;
      ahead.push(this.#dispatcher.beginAhead(request as R, peerAddress));
    }
    let ready = false;
    const handled = enter(this.#server, () => this.#handleAhead(ahead))
      .then(() => void (ready = true));
    if (!this.#dispatcher.mayHavePending) return;
    const source = {
      nextChange: () => handled,
      get ready() {
        return ready;
      },
    };
    const seconds = Math.min(timeout ?? Infinity, FINISH_ACCEPTS_SECONDS);
    return readyWithin(source, seconds);
  }

  async #handleAhead(ahead: readonly AcceptedAhead<R>[]): Promise<void> {
    const dispatcher = this.#dispatcher;
    if (this.#requests.concurrent) {
      await Promise.all(ahead.map((next) => dispatcher.handleAhead(next)));
    } else {
      await this.#waiter()?.ended; // one at a time
      for (const next of ahead) await dispatcher.handleAhead(next);
    }
    await dispatcher.handlePending();
  }

  async #drain(timeout: number | null): Promise<ServerCloseReport> {
    const report = await drain(this.#server, this.#requests, timeout);
    if (report.forced > 0) this.#waiter()?.abandon();
    publishClosed(this.#server, report);
    return report;
  }
}
