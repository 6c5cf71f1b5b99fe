/**
 * The threading mix-in. Loads the pool of workers at the first request.
 *
 * @module
 */

import { checkBoolean } from "../base/arguments.ts";
import {
  concurrent,
  type MixInOptions,
  type ServerConstructor,
} from "../server/concurrent.ts";
import {
  type BaseServerOptions,
  type ServeForeverOptions,
  setting,
} from "../stages/server_options.ts";
import { noteLimit } from "../requests/note_limit.ts";
import {
  acceptInOf,
  cannotHandleOne,
  checkServesElsewhere,
  ownServers,
} from "../server/accept_in.ts";
import { bindShared } from "../server/bind_passable.ts";
import type { SocketServer } from "../server/socket_server.ts";
import { anyReady } from "../waiting/when_ready.ts";
import {
  checkNotBlocking,
  checkNotFewer,
  WorkerAcceptance,
} from "./worker_acceptance.ts";
import { requestsOf } from "../requests/request_registry.ts";
import { atMost } from "../requests/request_waits.ts";
import { afterDrain } from "../server/drain.ts";
import type { ServerCloseOptions, ServerCloseReport } from "../../server.ts";
import type { Address } from "../base/address.ts";
import {
  handlerReference,
  plainOptions,
} from "../handoff/handler_reference.ts";
import { checkNotLoading } from "../server/module_loading.ts";
import { checkReadable } from "../handoff/permissions.ts";
import { reportUnowned, serverClosedError } from "./pool_errors.ts";
import type { WorkerPool, WorkerPoolOptions } from "./worker_pool.ts";
import {
  checkPoolLimits,
  DEFAULT_LIMITS,
  type PoolLimits,
  type ResourceLimits,
} from "./worker_limits.ts";

/**
 * Options of {@linkcode ThreadingMixIn}, besides those of the server.
 *
 * @category Options
 */
export interface ThreadingOptions
  extends MixInOptions, Pick<BaseServerOptions, "shared"> {
  /**
   * The place where connections are accepted. With `"parent"` the main thread accepts, and gives each connection to a
   * worker. With `"workers"` each worker accepts by itself. For TCP servers. The constructor refuses a class with hooks
   * or limits that need the server's own accept.
   *
   * @default {"parent"}
   */
  acceptIn?: "parent" | "workers";
  /**
   * The most workers, an integer from 1. Workers start when requests need them. If the limit is lowered, workers beyond it
   * end when they have no request.
   *
   * @default {navigator.hardwareConcurrency}
   */
  maxWorkers?: number;
  /**
   * Whether `serverClose` terminates the workers at once. Their requests fail. Otherwise it waits for them, as
   * `blockOnClose` says.
   *
   * @default {false}
   */
  daemonThreads?: boolean;
  /**
   * Seconds after which a worker that does not return to its event loop is terminated; null is never. All of its
   * requests fail, and another worker replaces it.
   *
   * @default {null}
   */
  workerTimeout?: number | null;
  /**
   * The memory limits of each worker. A worker that exceeds them is terminated: all of its requests fail, and another
   * worker replaces it.
   *
   * @default {maxOldGenerationSizeMb: 1024}
   */
  resourceLimits?: ResourceLimits;
}

type Statics = Required<ThreadingOptions>;

/** Returns a subclass of a server that runs the handlers in workers. */
export function threading<B extends ServerConstructor>(Base: B) {
  abstract class Threading extends concurrent(Base) {
    static maxWorkers: number = navigator.hardwareConcurrency;
    static daemonThreads = false;
    static workerTimeout: number | null = null;
    static resourceLimits: ResourceLimits = DEFAULT_LIMITS;
    static acceptIn: Statics["acceptIn"] = "parent";
    static {
      Object.defineProperty(this, "name", { value: `Threading${Base.name}` });
      ownServers.add(this.prototype);
    }

    #limits: PoolLimits;
    #daemonThreads: boolean;
    #pool: Promise<WorkerPool> | undefined;
    readonly #acceptance: WorkerAcceptance | undefined;
    #closed = false;

    // deno-lint-ignore no-explicit-any
    constructor(...args: any[]) {
      checkNotLoading(); // first, as a worker lacks what the rest needs
      const options: BaseServerOptions & ThreadingOptions = args[2] ?? {};
      const statics = new.target as unknown as Statics;
      const handler = handlerReference(args[1], "in a worker");
      checkReadable(import.meta.url, handler.moduleUrl);
      const checked = checkPoolLimits(options, statics);
      const { daemonThreads = statics.daemonThreads } = options;
      checkBoolean(daemonThreads, "daemonThreads");
      structuredClone(setting({ constructor: new.target }, options, "shared")); // throws if it cannot be cloned
      const acceptIn = acceptInOf(new.target, args, "workers");
      if (acceptIn === "workers") checkNotBlocking(args[1]);
      super(...args);
      this.#limits = checked;
      if (acceptIn === "workers") {
        requestsOf(this).acceptedIn = acceptIn;
        const init = () => this.#workerInit();
        this.#acceptance = new WorkerAcceptance(this, checked, init);
      }
      this.#daemonThreads = daemonThreads;
    }

    get acceptIn(): Statics["acceptIn"] {
      return this.options.acceptIn; // and not a field: the base constructor binds
    }

    get maxWorkers(): number {
      return this.#limits.maxWorkers;
    }

    set maxWorkers(maxWorkers: number) {
      if (this.acceptIn === "workers") {
        checkNotFewer(this.maxWorkers, maxWorkers);
      }
      this.#set({ maxWorkers });
    }

    get workerTimeout(): number | null {
      return this.#limits.workerTimeout;
    }

    set workerTimeout(workerTimeout: number | null) {
      this.#set({ workerTimeout });
    }

    get resourceLimits(): ResourceLimits {
      return this.#limits.resourceLimits;
    }

    set resourceLimits(resourceLimits: ResourceLimits) {
      this.#set({ resourceLimits });
    }

    get daemonThreads(): boolean {
      return this.#daemonThreads;
    }

    set daemonThreads(daemonThreads: boolean) {
      this.#daemonThreads = checkBoolean(daemonThreads, "daemonThreads");
    }

    #set(change: Partial<PoolLimits>): void {
      this.#limits = checkPoolLimits(change, this.#limits);
      const limits = this.#limits;
      this.#pool?.then((pool) => pool.limit(limits), () => {});
      this.#acceptance?.limit(limits);
    }

    serverBind(): void | Promise<void> {
      // deno-lint-ignore no-explicit-any
      const server = this as any as SocketServer<unknown>;
      if (this.acceptIn === "workers") return bindShared(server);
      return (Base.prototype as SocketServer<unknown>).serverBind.call(this);
    }

    override async serveForever(
      options: ServeForeverOptions = {},
    ): Promise<void> {
      const acceptance = this.#acceptance;
      if (acceptance === undefined) return await super.serveForever(options);
      checkServesElsewhere(this, "workers");
      const loop = super.serveForever(options);
      await acceptance.serve(loop, () => super.shutdown());
    }

    override shutdown(): Promise<void> {
      this.#acceptance?.stopAccepting();
      return super.shutdown();
    }

    override async handleRequest(): Promise<void> {
      if (this.#acceptance !== undefined) throw cannotHandleOne("workers");
      await super.handleRequest();
    }

    override async finishRequest(
      request: unknown,
      clientAddress: Address,
    ): Promise<void> {
      const pool = await (this.#pool ??= this.#startPool());
      const idle = await pool.run(request, clientAddress);
      if (idle) requestsOf(this).endIdle(request);
    }

    #startPool(): Promise<WorkerPool> {
      const starting = this.#makePool();
      starting.catch(() => this.#pool = undefined); // so that the next request tries again
      return starting;
    }

    async #makePool(): Promise<WorkerPool> {
      if (this.#closed) throw serverClosedError();
      const { WorkerPool } = await import("./worker_pool.ts");
      const pool = new WorkerPool({
        server: this,
        init: this.#workerInit(),
        ...this.#limits,
        hooks: {
          shutdown: async () => {
            await this.shutdown(); // drops what an override returns: a frame may not hold it
          },
          onLimit: (limit, client) => noteLimit(this, limit, client),
          onUnownedError: (...what) => void reportUnowned(this, ...what),
        },
      });
      requestsOf(this).pool = pool;
      return pool;
    }

    /** Returns the data that a worker starts with. */
    #workerInit(): WorkerPoolOptions["init"] {
      const { RequestHandlerClass, serverAddress, shared } = this;
      const { blocking } = RequestHandlerClass as { blocking?: unknown };
      return {
        handler: handlerReference(RequestHandlerClass, "in a worker"),
        blocking: blocking === true,
        server: { serverAddress, shared, options: plainOptions(this.options) },
      };
    }

    override async serverClose(
      options: ServerCloseOptions = {},
    ): Promise<ServerCloseReport> {
      this.#pool?.then((pool) => pool.drain(), () => {});
      const limit = this.daemonThreads ? { ...options, timeout: 0 } : options;
      try {
        return await super.serverClose(limit);
      } finally {
        await afterDrain(this, async () => {
          this.#closed = true;
          const pool = await this.#pool?.catch(() => undefined);
          await this.#endPool(this.#acceptance ?? pool);
        });
      }
    }

    /** Terminates the workers: now, or after the last request if `blockOnClose` is false and requests are open. */
    async #endPool(
      pool: { close(): Promise<unknown> } | undefined,
    ): Promise<void> {
      const quiet = atMost(requestsOf(this), 0);
      if (this.blockOnClose || this.daemonThreads || quiet.ready) {
        await pool?.close();
      } else anyReady([quiet], null).then(() => pool?.close());
    }
  }
  return Threading;
}
