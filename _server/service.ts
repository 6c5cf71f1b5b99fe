/**
 * What a server does with its stages: the loop, one request, and the end.
 *
 * @module
 */

import { checkTimeout } from "../_socket/check.ts";
import { internals } from "../_socket/facade.ts";
import { anyReady } from "../_socket/select.ts";
import type { Source } from "../_socket/slot.ts";
import type { BaseServer } from "../server.ts";
import { Socket, socketOf } from "../socket.ts";
import { RESOURCE_PAUSE_MS } from "./errors.ts";
import { Dispatcher } from "./dispatcher.ts";
import type {
  ServeForeverOptions,
  ServerCloseOptions,
  ServerCloseReport,
} from "./options.ts";
import { type Requests, requestsOf } from "./requests.ts";
import { both, readyWithin, ServeLoop, untimedActions } from "./serve_loop.ts";

/**
 * Gets requests for a server and takes them through its stages, which are methods of the server that
 * may be overridden.
 *
 * @typeParam R What a request is.
 */
export class Service<R> {
  readonly #server: BaseServer<R>;
  readonly #requests: Requests;
  readonly #dispatcher: Dispatcher<R>;
  #loop: ServeLoop | undefined;

  /** @param server The server. Nothing of it is used before a request is asked for. */
  constructor(server: BaseServer<R>) {
    this.#server = server;
    this.#requests = requestsOf(server);
    this.#dispatcher = new Dispatcher(server);
  }

  /** Handles requests until {@linkcode Service.shutdown}. */
  async serveForever(options: ServeForeverOptions): Promise<void> {
    const { signal, pollInterval = 0.5 } = options;
    const loop = this.#begin(pollInterval);
    using _crashes = this.#requests.takeCrashes((error) => loop.fail(error));
    const stop = () => void loop.stop();
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
    try {
      const served = loop.run(() => this.#round(loop));
      await Promise.race([served, loop.abandoned]);
      loop.rethrow();
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#loop = undefined;
      loop.end();
    }
  }

  #begin(pollInterval: number): ServeLoop {
    if (this.#loop !== undefined) {
      throw new Error("Cannot serve: the server is serving already");
    }
    if (!(pollInterval > 0)) {
      throw new RangeError(
        `Cannot serve: pollInterval must be positive, got ${pollInterval}`,
      );
    }
    const idle = untimedActions.has(this.#server.serviceActions);
    return this.#loop = new ServeLoop(idle ? undefined : pollInterval * 1000);
  }

  /** Handles a request that is ready, and calls `serviceActions`; a tick comes back empty-handed. */
  #round(loop: ServeLoop): Source | Promise<void> | undefined {
    const { room } = this.#requests;
    const source = room.ready ? this.#source : room;
    if (source.ready) {
      const handled = this.#dispatcher.handleOne();
      if (handled !== undefined) return this.#afterwards(loop, handled);
    } else if (!loop.takeTick()) return source;
    const actions = this.#server.serviceActions();
    return actions === undefined ? undefined : Promise.resolve(actions);
  }

  /** The end of a round whose request takes its time. */
  async #afterwards(
    loop: ServeLoop,
    handled: ReturnType<Dispatcher<R>["handleOne"]>,
  ): Promise<void> {
    if (await handled === "resource") await loop.pause(RESOURCE_PAUSE_MS);
    await this.#server.serviceActions();
  }

  /** What to wait for: the socket of the server, which may be another one meanwhile. */
  get #source(): Source {
    return internals.readSource(socketOf(this.#server));
  }

  /** Makes the loop end. Resolves when no further request will be got. */
  shutdown(): Promise<void> {
    return this.#loop?.stop() ?? Promise.resolve();
  }

  /** Handles one request without a loop, or calls `handleTimeout`. */
  async handleRequest(): Promise<void> {
    const server = this.#server;
    const socket = socketOf(server);
    const next = both(this.#requests.room, internals.readSource(socket));
    const limits = [socket.gettimeout(), server.timeout].filter((limit) =>
      limit !== null
    );
    const limit = limits.length > 0 ? Math.min(...limits) : null;
    if (await readyWithin(next, limit)) await this.#dispatcher.handleOne();
    else await server.handleTimeout();
  }

  /** Ends the loop and tells the requests under way, waits for them, and cuts off what is left then. */
  async close(options: ServerCloseOptions): Promise<ServerCloseReport> {
    const { timeout = null } = options;
    checkTimeout(timeout);
    const requests = this.#requests;
    const before = requests.size;
    this.#loop?.stop();
    requests.drain();
    if (!requests.blockOnClose) return { finished: 0, forced: 0 };
    const crashes: unknown[] = [];
    using _crashes = requests.takeCrashes((error) => crashes.push(error));
    await anyReady([requests.quiet], timeout);
    const left = requests.giveUp();
    for (const request of left) {
      if (request instanceof Socket) internals.abort(request);
    }
    if (left.length > 0) this.#loop?.abandon();
    if (crashes.length > 0) throw crashes[0];
    return { finished: before - left.length, forced: left.length };
  }
}
