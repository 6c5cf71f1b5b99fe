/**
 * Adds up the events of a server and the durations of its requests, for metrics.
 *
 * @module
 */

import type { AnyServer, RequestStopEvent } from "../stages/event_types.ts";
import { listenTo } from "./subscribe.ts";

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
    this.#subscription = listenTo(server, {
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

/** The durations of one reason. */
export interface Durations {
  /** The number of durations in each bucket, and of those above the last one. */
  readonly buckets: number[];
  /** The sum of the durations. */
  sum: number;
}

/** Counts durations in buckets, by the reason of the end. */
export class DurationHistogram {
  /** The upper bounds of the buckets, ascending. */
  readonly bounds: readonly number[];
  /** The durations by reason. */
  readonly byReason: Map<string, Durations> = new Map();

  /**
   * @param bounds The upper bounds of the buckets.
   * @throws {RangeError} if they are not finite and ascending.
   */
  constructor(bounds: readonly number[]) {
    this.bounds = [...bounds];
    const valid = this.bounds.every((bound, index) =>
      Number.isFinite(bound) && (index === 0 || bound > bounds[index - 1])
    );
    if (valid) return;
    throw new RangeError(
      `Cannot count durations: buckets must be ascending seconds, got ${bounds}`,
    );
  }

  /** Counts a duration. */
  record(seconds: number, reason: string): void {
    let durations = this.byReason.get(reason);
    if (durations === undefined) {
      const buckets = new Array<number>(this.bounds.length + 1).fill(0);
      this.byReason.set(reason, durations = { buckets, sum: 0 });
    }
    const index = this.bounds.findIndex((bound) => seconds <= bound);
    durations.buckets[index < 0 ? this.bounds.length : index]++;
    durations.sum += seconds;
  }
}
