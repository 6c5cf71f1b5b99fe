/**
 * What a handler in a worker has for a server.
 *
 * @module
 */

import type { WorkerServer } from "../server/stages.ts";
import type { Address } from "../base/address.ts";

/** What a worker is told about the server. */
export interface ServerFacts {
  serverAddress: Address;
  shared: unknown;
  options: Record<string, unknown>;
}

/** The {@linkcode WorkerServer} of a worker. */
export class ServerStub implements WorkerServer {
  readonly serverAddress: Address;
  readonly shared: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  readonly #shutdown: () => Promise<void>;
  readonly #look: (() => void) | undefined;
  readonly #signals = new Map<unknown, AbortController>();
  #draining: boolean;

  /**
   * @param facts What the main thread told.
   * @param draining Whether the server drains already.
   * @param shutdown Calls the server's `shutdown`.
   * @param look Takes what the main thread has sent, for handlers that give the event loop no turn.
   */
  constructor(
    facts: ServerFacts,
    draining: boolean,
    shutdown: () => Promise<void>,
    look?: () => void,
  ) {
    this.serverAddress = facts.serverAddress;
    this.shared = facts.shared;
    this.options = facts.options;
    this.#draining = draining;
    this.#shutdown = shutdown;
    this.#look = look;
  }

  /** A signal for the handler of a request, which aborts when the server drains. */
  requestSignal(request: unknown): AbortSignal {
    this.#look?.();
    let controller = this.#signals.get(request);
    if (controller === undefined) {
      this.#signals.set(request, controller = new AbortController());
      if (this.#look) lookFirst(controller.signal, this.#look);
      if (this.#draining) controller.abort();
    }
    return controller.signal;
  }

  /** Ends the server's loop. */
  shutdown(): Promise<void> {
    return this.#shutdown();
  }

  /** The server drains: tells all handlers. */
  drain(): void {
    this.#draining = true;
    for (const controller of this.#signals.values()) controller.abort();
  }

  /** A request has ended. */
  forget(request: unknown): void {
    this.#signals.delete(request);
  }
}

const { get: isAborted } = Object.getOwnPropertyDescriptor(
  AbortSignal.prototype,
  "aborted",
)!;

/** Has a signal look for news whenever it is asked: a handler that blocks may ask in a loop, and do nothing else. */
function lookFirst(signal: AbortSignal, look: () => void): void {
  Object.defineProperties(signal, {
    aborted: {
      get() {
        look();
        return isAborted!.call(signal);
      },
    },
    throwIfAborted: {
      value() {
        look();
        AbortSignal.prototype.throwIfAborted.call(signal);
      },
    },
  });
}
