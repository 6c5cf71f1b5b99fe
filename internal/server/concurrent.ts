/**
 * The common base of the mix-ins: many requests at a time, with limits.
 *
 * @module
 */

import { checkChange, ownServers } from "./accept_in.ts";
import { turnAway } from "./rejection.ts";
import type { ServerStages } from "../stages/stages.ts";
import type { Address } from "../base/address.ts";
import { checkBoolean, checkMax } from "../base/arguments.ts";
import type { ActiveRequest } from "../requests/active_requests.ts";
import { requestsOf } from "../requests/request_registry.ts";
import type {
  ConnectionLimits,
  MaxConnectionsPolicy,
} from "../requests/request_limits.ts";
import { endAfter, processRequestTask, runTask } from "./request_stages.ts";

/**
 * A class of servers, for a mix-in to extend.
 *
 * @category Mix-ins
 */
// deno-lint-ignore no-explicit-any
export type ServerConstructor = new (...args: any[]) => ServerStages<any>;

/**
 * Options of a server with a mix-in, besides its own.
 *
 * @category Options
 */
export interface MixInOptions {
  /**
   * The most requests at a time, at least 1; `Infinity` for no limit.
   *
   * @default {1024}
   */
  maxConnections?: number;
  /**
   * What to do at the limit: `"wait"` stops accepting, so clients queue in the backlog; `"reject"` accepts and closes.
   *
   * @default {"wait"}
   */
  maxConnectionsPolicy?: MaxConnectionsPolicy;
  /**
   * The most requests of one client, that is one host or one Unix path, at a time. Further requests are closed and
   * counted as rejected. Clients on unnamed Unix sockets cannot be told apart, and are not limited.
   *
   * @default {Infinity}
   */
  maxConnectionsPerClient?: number;
  /**
   * Whether `serverClose` waits for the open requests.
   *
   * @default {true}
   */
  blockOnClose?: boolean;
}

/**
 * The static fields that a mix-in adds.
 *
 * @category Mix-ins
 */
export type MixInStatics = Required<MixInOptions>;

/**
 * The members that every mix-in adds to a server.
 *
 * @category Mix-ins
 */
export interface ConcurrentServer extends MixInStatics {
  /**
   * Handles a request as a task: calls `finishRequest`, `handleError` if that throws, and `shutdownRequest`. May be
   * overridden.
   *
   * @param request The request.
   * @param clientAddress The client's address.
   * @returns A promise if the request takes time.
   */
  processRequestTask(
    request: unknown,
    clientAddress: Address,
  ): void | Promise<void>;
}

/** Returns a subclass of a server that runs `processRequestTask` for each request, and gets the next one meanwhile. */
export function concurrent<B extends ServerConstructor>(Base: B) {
  abstract class Concurrent extends Base {
    static maxConnections = 1024;
    static maxConnectionsPolicy: MaxConnectionsPolicy = "wait";
    static maxConnectionsPerClient = Infinity;
    static blockOnClose = true;
    static {
      Object.defineProperty(this, "name", { value: `Async${Base.name}` });
      ownServers.add(this.prototype);
    }

    // deno-lint-ignore no-explicit-any
    constructor(...args: any[]) {
      const limits = limitsOf(new.target, args[2]); // throws before anything is open
      super(...args);
      const requests = requestsOf(this);
      requests.concurrent = true;
      requests.setLimits(limits);
    }

    get maxConnections(): number {
      return requestsOf(this).limits.settings.maxConnections;
    }

    set maxConnections(max: number) {
      requestsOf(this).setLimits({
        maxConnections: checkMax(max, "maxConnections"),
      });
    }

    get maxConnectionsPolicy(): MaxConnectionsPolicy {
      return requestsOf(this).limits.settings.maxConnectionsPolicy;
    }

    set maxConnectionsPolicy(policy: MaxConnectionsPolicy) {
      const requests = requestsOf(this);
      checkPolicy(policy);
      checkChange(requests.acceptedIn, "maxConnectionsPolicy", policy);
      requests.setLimits({ maxConnectionsPolicy: policy });
    }

    get maxConnectionsPerClient(): number {
      return requestsOf(this).limits.settings.maxConnectionsPerClient;
    }

    set maxConnectionsPerClient(max: number) {
      const requests = requestsOf(this);
      checkMax(max, "maxConnectionsPerClient");
      checkChange(requests.acceptedIn, "maxConnectionsPerClient", max);
      requests.setLimits({ maxConnectionsPerClient: max });
    }

    get blockOnClose(): boolean {
      return requestsOf(this).limits.settings.blockOnClose;
    }

    set blockOnClose(blockOnClose: boolean) {
      requestsOf(this).setLimits({
        blockOnClose: checkBoolean(blockOnClose, "blockOnClose"),
      });
    }

    override processRequest(
      request: unknown,
      clientAddress: Address,
    ): void | Promise<void> {
      const requests = requestsOf(this);
      const limit = requests.limits.exceeds(request);
      if (limit !== undefined) {
        return void turnAway(this, { request, clientAddress }, limit);
      }
      const active = requests.handToTask(request);
      if (this.processRequestTask === Concurrent.prototype.processRequestTask) {
        runTask(this, active, clientAddress);
      } else this.#runOwnTask(active, request, clientAddress);
    }

    /**
     * Runs the task of a subclass. A method of its own, because the closure in it would cost every other request a
     * scope.
     */
    #runOwnTask(
      active: ActiveRequest,
      request: unknown,
      clientAddress: Address,
    ): void {
      const task = () => this.processRequestTask(request, clientAddress);
      void endAfter(this, active, clientAddress, task);
    }

    processRequestTask(
      request: unknown,
      clientAddress: Address,
    ): void | Promise<void> {
      return processRequestTask(this, request, clientAddress);
    }
  }
  return Concurrent;
}

/** Returns the limits of a server, from its options or the static fields of its class. */
function limitsOf(statics: MixInStatics, given: unknown): ConnectionLimits {
  const options: MixInOptions = Object(given); // the base class throws for anything else than an object
  return {
    maxConnections: checkMax(
      options.maxConnections ?? statics.maxConnections,
      "maxConnections",
    ),
    maxConnectionsPolicy: checkPolicy(
      options.maxConnectionsPolicy ?? statics.maxConnectionsPolicy,
    ),
    maxConnectionsPerClient: checkMax(
      options.maxConnectionsPerClient ?? statics.maxConnectionsPerClient,
      "maxConnectionsPerClient",
    ),
    blockOnClose: checkBoolean(
      options.blockOnClose ?? statics.blockOnClose,
      "blockOnClose",
    ),
  };
}

function checkPolicy(policy: MaxConnectionsPolicy): MaxConnectionsPolicy {
  if (policy === "wait" || policy === "reject") return policy;
  throw new TypeError(
    `Cannot set maxConnectionsPolicy: it must be "wait" or "reject", got ${policy}`,
  );
}
