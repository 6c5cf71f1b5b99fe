/**
 * The accepting of a server with `acceptIn: "workers"`, from its first `serveForever` to its close.
 *
 * @module
 */

import type { Incident } from "../channel/frames.ts";
import { fromFailure } from "../handoff/failure.ts";
import { turnAwayQueued } from "../runtime/opening/shared_listener.ts";
import { idleTimeoutOf, requestTimeoutOf } from "../requests/limit_settings.ts";
import { noteLimit } from "../requests/note_limit.ts";
import { requestsOf } from "../requests/request_registry.ts";
import { type Socket, stateOf } from "../socket/socket_object.ts";
import { socketOf } from "../socket/select.ts";
import type { ServerStages } from "../stages/stages.ts";
import type { AcceptorPool, AcceptorPoolOptions } from "./acceptor_pool.ts";
import { reportUnowned } from "./pool_errors.ts";
import type { PoolLimits } from "./worker_limits.ts";

/** The data that a worker starts with, whether it accepts or not. */
type WorkerServerInit = Pick<
  AcceptorPoolOptions["init"],
  "handler" | "server"
>;

/** Lets the workers of one server accept. Starts them when the server serves for the first time. */
export class WorkerAcceptance {
  readonly #server: ServerStages;
  readonly #init: () => WorkerServerInit;
  #limits: PoolLimits;
  #loading: Promise<AcceptorPool> | undefined;
  #pool: AcceptorPool | undefined;
  #closed = false;

  /**
   * @param server The server.
   * @param limits The limits of the workers.
   * @param init Returns the data that a worker starts with.
   */
  constructor(
    server: ServerStages,
    limits: PoolLimits,
    init: () => WorkerServerInit,
  ) {
    this.#server = server;
    this.#limits = limits;
    this.#init = init;
  }

  /** Changes the limits of the workers. */
  limit(limits: PoolLimits): void {
    this.#limits = limits;
    this.#pool?.limitWorkers(limits);
  }

  /**
   * Lets the workers accept while the loop of the server runs. If no worker starts, closes the connections of the clients
   * that wait.
   *
   * @param loop The run of the loop.
   * @param stop Stops the loop.
   * @throws The error of the loop, or the reason why no worker starts.
   */
  async serve(loop: Promise<void>, stop: () => Promise<void>): Promise<void> {
    let ended = false;
    const served = loop.finally(() => {
      ended = true;
      this.stopAccepting();
    });
    try {
      await Promise.race([served, this.#accept(() => ended)]);
    } catch (error) {
      if (!ended) {
        await stop();
        await served;
        await this.#turnAway();
      }
      throw error;
    }
  }

  /** Closes the connections of the clients that wait, unless the server has closed. */
  async #turnAway(): Promise<void> {
    const { listener } = stateOf(socketOf(this.#server));
    if (listener === undefined) return;
    await turnAwayQueued(listener.transport.addr).catch(() => {}); // serveForever rejects in any case
  }

  /** Rejects if no worker starts; otherwise never resolves. */
  async #accept(ended: () => boolean): Promise<void> {
    this.#loading ??= this.#load();
    const pool = await this.#loading;
    await (ended() ? new Promise<never>(() => {}) : pool.serve());
  }

  async #load(): Promise<AcceptorPool> {
    const { AcceptorPool } = await import("./acceptor_pool.ts");
    const server = this.#server;
    const requests = requestsOf(server);
    const { handler, server: facts } = this.#init();
    const settings = {
      requestTimeout: requestTimeoutOf(server),
      idleTimeout: idleTimeoutOf(server),
    };
    const { addr } = stateOf(socketOf(server)).listener!.transport;
    const pool = new AcceptorPool({
      server,
      init: { handler, server: facts, accept: { addr, settings } },
      ...this.#limits,
      limits: requests.limits.settings,
      hooks: this.#hooks(),
    });
    pool.suspend(requests.limits.suspended);
    if (this.#closed) await pool.close();
    requests.acceptingWorkers = pool;
    return this.#pool = pool;
  }

  #hooks(): AcceptorPoolOptions["hooks"] {
    return {
      onIncident: (incident, request) => this.#onIncident(incident, request),
      onDeath: (request, client, error) =>
        void reportUnowned(this.#server, request, client, error),
      shutdown: async () => {
        await this.#server.shutdown(); // drops what an override returns: a frame may not hold it
      },
    };
  }

  #onIncident(
    { clientAddress, failure, limit }: Incident,
    request: Socket,
  ): void {
    if (limit !== undefined) noteLimit(this.#server, limit, clientAddress);
    else {
      const error = fromFailure(failure!);
      void reportUnowned(this.#server, request, clientAddress ?? "", error);
    }
  }

  /** Stops accepting. The open requests go on. */
  stopAccepting(): void {
    this.#pool?.stopAccepting();
  }

  /** Ends the workers. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#pool?.close();
  }
}

/** Throws a TypeError for a class of blocking handlers: they would block the thread that accepts. */
export function checkNotBlocking(
  Handler: { name: string; blocking?: unknown },
): void {
  if (Handler.blocking !== true) return;
  throw new TypeError(
    `Cannot make a server with acceptIn "workers": ${Handler.name} is a blocking handler, and the thread that accepts is the one that it blocks; use acceptIn "parent"`,
  );
}

/** Throws a RangeError for fewer workers than there are. */
export function checkNotFewer(now: number, wanted: number): void {
  if (!(wanted < now)) return;
  throw new RangeError(
    `Cannot set maxWorkers to ${wanted}: with acceptIn "workers" each of the ${now} workers accepts until the server closes`,
  );
}
