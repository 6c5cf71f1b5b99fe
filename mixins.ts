/**
 * Python's `socketserver` module, the mix-ins: how requests are run.
 *
 * @module
 */

import {
  type Limits,
  type MaxConnectionsPolicy,
  requestsOf,
} from "./_server/requests.ts";
import {
  type BaseServer,
  TCPServer,
  UDPServer,
  UnixDatagramServer,
  UnixStreamServer,
} from "./server.ts";
import type { Address } from "./socket.ts";

export type { MaxConnectionsPolicy } from "./_server/requests.ts";

/** A class of servers, for a mix-in to extend. */
// deno-lint-ignore no-explicit-any
export type ServerConstructor = new (...args: any[]) => BaseServer<any>;

/** Options of a server with a mix-in, besides its own. */
export interface MixInOptions {
  /** The most requests at a time, at least 1; `Infinity` for no limit. @default {1024} */
  maxConnections?: number;
  /**
   * What happens to more: `"wait"` stops accepting, and the backlog holds them; `"reject"` accepts and
   * closes. @default {"wait"}
   */
  maxConnectionsPolicy?: MaxConnectionsPolicy;
  /** Whether `serverClose` waits for the requests under way. @default {true} */
  blockOnClose?: boolean;
}

/** The static fields that a mix-in adds. */
export type MixInStatics = Required<MixInOptions>;

/**
 * A server's class with a mix-in: its statics, and a constructor that takes the options of both. A class
 * whose constructor has other parameters keeps them.
 *
 * @typeParam B The server's class.
 * @typeParam M What the mix-in adds.
 */
export type MixedIn<B extends ServerConstructor, M> =
  & Pick<B, keyof B>
  & MixInStatics
  & {
    new (
      ...args: ConstructorParameters<B> extends [infer A, infer H, (infer O)?]
        ? [
          serverAddress: A,
          RequestHandlerClass: H,
          options?: O & MixInOptions,
        ]
        : ConstructorParameters<B>
    ): InstanceType<B> & M;
  };

/** What {@linkcode AsyncMixIn} adds to a server. */
export interface AsyncMixIn extends MixInStatics {
  /**
   * Takes a request to its end, as a task. May be overridden.
   *
   * @param request The request.
   * @param clientAddress The client's address.
   */
  processRequestTask(request: unknown, clientAddress: Address): Promise<void>;
}

/**
 * Runs requests as tasks on the event loop, many at a time: the everyday choice.
 *
 * @typeParam B The server's class.
 * @param Base The server's class.
 * @returns A subclass of it.
 *
 * @example
 * ```ts
 * import { AsyncMixIn, StreamRequestHandler, TCPServer } from "@socketserver/socketserver";
 *
 * class Hello extends StreamRequestHandler {
 *   override async handle() {
 *     await this.wfile.write("hello\n");
 *   }
 * }
 *
 * class MyServer extends AsyncMixIn(TCPServer) {}
 *
 * await using server = new MyServer(["127.0.0.1", 0], Hello, { maxConnections: 100 });
 * ```
 */
export function AsyncMixIn<B extends ServerConstructor>(
  Base: B,
): MixedIn<B, AsyncMixIn> {
  abstract class AsyncServer extends Base {
    static maxConnections = 1024;
    static maxConnectionsPolicy: MaxConnectionsPolicy = "wait";
    static blockOnClose = true;
    static {
      Object.defineProperty(this, "name", { value: `Async${Base.name}` });
    }

    // deno-lint-ignore no-explicit-any
    constructor(...args: any[]) {
      const limits = limitsOf(new.target, args[2]); // throws before anything is open
      super(...args);
      requestsOf(this).limit(limits);
    }

    get maxConnections(): number {
      return requestsOf(this).limits.maxConnections;
    }

    set maxConnections(max: number) {
      requestsOf(this).limit({ maxConnections: checkMax(max) });
    }

    get maxConnectionsPolicy(): MaxConnectionsPolicy {
      return requestsOf(this).limits.maxConnectionsPolicy;
    }

    set maxConnectionsPolicy(policy: MaxConnectionsPolicy) {
      requestsOf(this).limit({ maxConnectionsPolicy: checkPolicy(policy) });
    }

    get blockOnClose(): boolean {
      return requestsOf(this).limits.blockOnClose;
    }

    set blockOnClose(blockOnClose: boolean) {
      requestsOf(this).limit({ blockOnClose });
    }

    // deno-lint-ignore require-await
    override async processRequest(
      request: unknown,
      clientAddress: Address,
    ): Promise<void> {
      const requests = requestsOf(this);
      if (requests.size > requests.max) {
        requests.status.rejected++;
        return this.shutdownRequest(request);
      }
      requests.detach(request, this.processRequestTask(request, clientAddress));
    }

    async processRequestTask(
      request: unknown,
      clientAddress: Address,
    ): Promise<void> {
      try {
        await this.finishRequest(request, clientAddress);
      } catch (error) {
        if (requestsOf(this).reports(request)) {
          await this.handleError(request, clientAddress, error);
        }
      } finally {
        await this.shutdownRequest(request);
      }
    }
  }
  return AsyncServer as unknown as MixedIn<B, AsyncMixIn>;
}

/** What the options say, or else the static fields of the class. */
function limitsOf(statics: MixInStatics, options: MixInOptions = {}): Limits {
  return {
    maxConnections: checkMax(options.maxConnections ?? statics.maxConnections),
    maxConnectionsPolicy: checkPolicy(
      options.maxConnectionsPolicy ?? statics.maxConnectionsPolicy,
    ),
    blockOnClose: options.blockOnClose ?? statics.blockOnClose,
  };
}

function checkMax(max: number): number {
  if (max === Infinity || Number.isInteger(max) && max >= 1) return max;
  throw new RangeError(
    `Cannot set maxConnections: it must be an integer from 1, or Infinity, got ${max}`,
  );
}

function checkPolicy(policy: MaxConnectionsPolicy): MaxConnectionsPolicy {
  if (policy === "wait" || policy === "reject") return policy;
  throw new TypeError(
    `Cannot set maxConnectionsPolicy: it must be "wait" or "reject", got ${policy}`,
  );
}

/** {@linkcode TCPServer} that runs requests as tasks. */
export const AsyncTCPServer: MixedIn<typeof TCPServer, AsyncMixIn> = AsyncMixIn(
  TCPServer,
);
/** {@linkcode TCPServer} that runs requests as tasks. */
export type AsyncTCPServer = InstanceType<typeof AsyncTCPServer>;

/** {@linkcode UDPServer} that runs requests as tasks. */
export const AsyncUDPServer: MixedIn<typeof UDPServer, AsyncMixIn> = AsyncMixIn(
  UDPServer,
);
/** {@linkcode UDPServer} that runs requests as tasks. */
export type AsyncUDPServer = InstanceType<typeof AsyncUDPServer>;

/** {@linkcode UnixStreamServer} that runs requests as tasks. */
export const AsyncUnixStreamServer: MixedIn<
  typeof UnixStreamServer,
  AsyncMixIn
> = AsyncMixIn(
  UnixStreamServer,
);
/** {@linkcode UnixStreamServer} that runs requests as tasks. */
export type AsyncUnixStreamServer = InstanceType<typeof AsyncUnixStreamServer>;

/** {@linkcode UnixDatagramServer} that runs requests as tasks. */
export const AsyncUnixDatagramServer: MixedIn<
  typeof UnixDatagramServer,
  AsyncMixIn
> = AsyncMixIn(
  UnixDatagramServer,
);
/** {@linkcode UnixDatagramServer} that runs requests as tasks. */
export type AsyncUnixDatagramServer = InstanceType<
  typeof AsyncUnixDatagramServer
>;
