/**
 * What a handler in a worker has for a server.
 *
 * @module
 */

import type { WorkerServer } from "../server/stages.ts";
import type { Address } from "../base/address.ts";

/** What a worker is told about the server. */
export interface WorkerServerInit {
  serverAddress: Address;
  shared: unknown;
  options: Record<string, unknown>;
}

/** The {@linkcode WorkerServer} of a worker. */
export class WorkerServerStub implements WorkerServer {
  readonly serverAddress: Address;
  readonly shared: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  readonly #shutdown: () => Promise<void>;
  readonly #receive: (() => void) | undefined;
  readonly #signals = new Map<unknown, AbortController>();
  #draining: boolean;

  /**
   * @param init What the main thread told.
   * @param draining Whether the server drains already.
   * @param shutdown PendingCalls the server's `shutdown`.
   * @param receive Takes what the main thread has sent, for handlers that give the event loop no turn.
   */
  constructor(
    init: WorkerServerInit,
    draining: boolean,
    shutdown: () => Promise<void>,
    receive?: () => void,
  ) {
    this.serverAddress = init.serverAddress;
    this.shared = init.shared;
    this.options = init.options;
    this.#draining = draining;
    this.#shutdown = shutdown;
    this.#receive = receive;
  }

  /** A signal for the handler of a request, which aborts when the server drains. */
  requestSignal(request: unknown): AbortSignal {
    this.#receive?.();
    let controller = this.#signals.get(request);
    if (controller === undefined) {
      this.#signals.set(request, controller = new AbortController());
      if (this.#receive) receiveBeforeReading(controller.signal, this.#receive);
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

/** Has a signal receive for news whenever it is asked: a handler that blocks may ask in a loop, and do nothing else. */
function receiveBeforeReading(signal: AbortSignal, receive: () => void): void {
  Object.defineProperties(signal, {
    aborted: {
      get() {
        receive();
        return isAborted!.call(signal);
      },
    },
    throwIfAborted: {
      value() {
        receive();
        AbortSignal.prototype.throwIfAborted.call(signal);
      },
    },
  });
}
