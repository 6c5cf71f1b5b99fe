/**
 * Adds up the events of a server, for metrics.
 *
 * @module
 */

import type { AnyServer, RequestStopEvent } from "../stages/event_types.ts";
import { listen } from "./subscribe.ts";

/** Counts by a reason. */
export type Counts = Map<string, number>;

/** Counts the events of one server that its `status` does not count. */
export class EventCounts implements Disposable {
  readonly #subscription: Disposable;
  /** The workers that run. */
  readonly workers: Set<number> = new Set();
  /** The child processes that run. */
  readonly children: Set<number> = new Set();
  /** The workers that have ended, by reason. */
  readonly workerExits: Counts = new Map();
  /** The child processes that have ended, by reason. */
  readonly childExits: Counts = new Map();
  /** The errors of handlers. */
  handlerErrors = 0;

  /**
   * @param server The server.
   * @param onStop Called for each request that ends.
   */
  constructor(server: AnyServer, onStop: (event: RequestStopEvent) => void) {
    this.#subscription = listen(server, {
      "socketserver.request.stop": onStop,
      "socketserver.handler.error": () => this.handlerErrors++,
      "socketserver.worker.start": ({ worker }) => this.workers.add(worker),
      "socketserver.worker.exit": ({ worker, reason }) => {
        this.workers.delete(worker);
        count(this.workerExits, reason);
      },
      "socketserver.child.start": ({ pid }) => this.children.add(pid),
      "socketserver.child.exit": ({ pid, reason }) => {
        this.children.delete(pid);
        count(this.childExits, reason);
      },
    });
  }

  /** Ends the counting. */
  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }
}

function count(counts: Counts, reason: string): void {
  counts.set(reason, (counts.get(reason) ?? 0) + 1);
}
