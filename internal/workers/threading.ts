/**
 * The server's side of running handlers in workers: all that is loaded before the first request.
 *
 * @module
 */

import {
  concurrent,
  type MixInOptions,
  type ServerConstructor,
} from "../server/concurrent.ts";
import { sayHookFailed } from "../server/report.ts";
import { afterDrain, requestsOf } from "../server/request_registry.ts";
import type { ServerCloseOptions, ServerCloseReport } from "../../server.ts";
import type { Address } from "../base/address.ts";
import {
  handlerReference,
  primitiveOptions,
} from "../handoff/handler_reference.ts";
import { checkNotLoading } from "../handoff/handler_reference.ts";
import { checkReadable } from "../handoff/permissions.ts";
import type { WorkerPool } from "./worker_pool.ts";
import {
  checkLimits,
  DEFAULT_LIMITS,
  type ResourceLimits,
} from "./resource_limits.ts";

/** Options of a server that runs handlers in workers, besides its own. */
export interface ThreadingOptions extends MixInOptions {
  /** The most workers, at least 1. @default {navigator.hardwareConcurrency} */
  maxWorkers?: number;
  /** Whether `serverClose` ends the workers at once, whatever they do. @default {false} */
  daemonThreads?: boolean;
  /**
   * Seconds after which a worker is ended that computes and does nothing else; its requests fail, and another
   * takes its place. null is never. @default {null}
   */
  workerTimeout?: number | null;
  /**
   * The memory of each worker. One that needs more is ended; its requests fail, and another takes its place.
   * @default {{ maxOldGenerationSizeMb: 1024 }}
   */
  resourceLimits?: ResourceLimits;
  /**
   * What handlers find as `this.server.shared`: a structured clone, in which a `SharedArrayBuffer` is
   * truly shared. @default {undefined}
   */
  shared?: unknown;
}

type Statics = Required<ThreadingOptions>;

/** A server's class that runs the handlers in workers. */
export function threading<B extends ServerConstructor>(Base: B) {
  abstract class Threading extends concurrent(Base) {
    static maxWorkers: number = navigator.hardwareConcurrency;
    static daemonThreads = false;
    static workerTimeout: number | null = null;
    static resourceLimits: ResourceLimits = DEFAULT_LIMITS;
    static shared: unknown = undefined;
    static {
      Object.defineProperty(this, "name", { value: `Threading${Base.name}` });
    }

    readonly maxWorkers: number;
    readonly daemonThreads: boolean;
    readonly workerTimeout: number | null;
    readonly resourceLimits: ResourceLimits;
    readonly shared: unknown;
    #pool: Promise<WorkerPool> | undefined;
    #closed = false;

    // deno-lint-ignore no-explicit-any
    constructor(...args: any[]) {
      checkNotLoading(); // before all that a worker lacks
      const options: ThreadingOptions = args[2] ?? {};
      const statics = new.target as unknown as Statics;
      const handler = handlerReference(args[1], "in a worker");
      checkReadable(import.meta.url, handler.moduleUrl);
      const checked = check(options, statics);
      super(...args);
      this.maxWorkers = checked.maxWorkers;
      this.workerTimeout = checked.workerTimeout;
      this.daemonThreads = options.daemonThreads ?? statics.daemonThreads;
      this.resourceLimits = checked.resourceLimits;
      this.shared = checked.shared;
    }

    override async finishRequest(
      request: unknown,
      clientAddress: Address,
    ): Promise<void> {
      const pool = await (this.#pool ??= this.#startPool());
      await pool.run(request, clientAddress);
    }

    #startPool(): Promise<WorkerPool> {
      const starting = this.#makePool();
      starting.catch(() => this.#pool = undefined); // the next request tries again
      return starting;
    }

    async #makePool(): Promise<WorkerPool> {
      if (this.#closed) {
        throw new Error("Cannot run the handler: the server was closed");
      }
      const { WorkerPool } = await import("./worker_pool.ts");
      const { serverAddress, shared } = this;
      const { maxWorkers, workerTimeout, resourceLimits } = this;
      const handler = handlerReference(this.RequestHandlerClass, "in a worker");
      const { blocking } = this.RequestHandlerClass as { blocking?: unknown };
      const server = { serverAddress, shared, options: primitiveOptions(this) };
      const pool = new WorkerPool({
        init: { handler, blocking: blocking === true, server },
        maxWorkers,
        workerTimeout,
        resourceLimits,
        hooks: {
          shutdown: async () => {
            await this.shutdown(); // what an override returns stays here: a frame may not hold it
          },
          onUnownedError: (...what) => this.#report(...what),
        },
      });
      if (requestsOf(this).draining) pool.drain();
      return pool;
    }

    /** Reports an error that no request waits for. */
    async #report(
      request: unknown,
      clientAddress: Address,
      error: Error,
    ): Promise<void> {
      try {
        await this.handleError(request, clientAddress, error);
      } catch (thrown) {
        sayHookFailed(clientAddress, thrown);
      }
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
          await this.#endPool(await this.#pool?.catch(() => undefined));
        });
      }
    }

    /** Ends the workers: at once, or where `blockOnClose` is false after the last request. */
    async #endPool(pool: WorkerPool | undefined): Promise<void> {
      const { quiet } = requestsOf(this);
      if (this.blockOnClose || this.daemonThreads || quiet.ready) {
        await pool?.close();
      } else quiet.fill().then(() => pool?.close());
    }
  }
  return Threading;
}

function check(
  options: ThreadingOptions,
  statics: Statics,
): Pick<
  Statics,
  "maxWorkers" | "workerTimeout" | "resourceLimits" | "shared"
> {
  const maxWorkers = options.maxWorkers ?? statics.maxWorkers;
  if (!(Number.isInteger(maxWorkers) && maxWorkers >= 1)) {
    throw new RangeError(
      `Cannot set maxWorkers: it must be an integer from 1, got ${maxWorkers}`,
    );
  }
  const workerTimeout = options.workerTimeout === undefined
    ? statics.workerTimeout
    : options.workerTimeout;
  if (
    workerTimeout !== null && !(workerTimeout > 0 && workerTimeout < Infinity)
  ) {
    throw new RangeError(
      `Cannot set workerTimeout: it must be positive seconds or null, got ${workerTimeout}`,
    );
  }
  const shared = options.shared === undefined ? statics.shared : options.shared;
  structuredClone(shared); // what cannot be cloned fails here
  const resourceLimits = checkLimits(
    options.resourceLimits ?? statics.resourceLimits,
  );
  return { maxWorkers, workerTimeout, resourceLimits, shared };
}
