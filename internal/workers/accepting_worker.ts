/**
 * The main thread's side of a worker that accepts by itself.
 *
 * @module
 */

import * as frames from "../channel/frames.ts";
import { SharedPlaces } from "../requests/shared_places.ts";
import type { ServerCloseReport } from "../stages/server_options.ts";
import { resolvesWithin } from "../waiting/promises.ts";
import type {
  AcceptEvent,
  AcceptingInit,
  WorkerSettings,
} from "./accepting_runner.ts";
import { AcceptRecord } from "./accept_record.ts";
import type { WorkerLimits } from "./worker_limits.ts";
import {
  StartFailure,
  type ThreadHooks,
  type WorkerEnd,
  WorkerThread,
} from "./worker_thread.ts";

/**
 * The milliseconds in which a worker reports the end of its drain after its requests are cut off. A worker that computes
 * does not report, and is terminated. Arbitrary.
 */
const REPORT_MS = 500;

/** The milliseconds in which a worker sends the last bytes of its requests, for clients that are slow to read. Arbitrary. */
const RELEASE_MS = 2000;

/** The data that a worker starts with, but for the memory that it makes itself. */
export type AcceptingWorkerInit = Omit<AcceptingInit, "memory" | "accept"> & {
  readonly accept: Omit<AcceptingInit["accept"], "record">;
};

/** The calls that a worker makes to its pool. */
export interface AcceptingWorkerHooks {
  /** Called when the worker has started. */
  onReady(worker: AcceptingWorker): void;
  /** Called when the worker accepts no more. */
  onLeave(worker: AcceptingWorker): void;
  /** Called when the worker is dead, and its requests are lost. `cause` is the error that it threw itself. */
  onDeath(worker: AcceptingWorker, error: Error, cause?: Error): void;
  /** Called when a request has failed or is over a limit. */
  onIncident(incident: frames.Incident): void;
  /** Called when a request has begun or ended, while somebody listens to requests. */
  onEvent(worker: AcceptingWorker, event: AcceptEvent): void;
  /** Calls the server's `shutdown`. */
  shutdown(): Promise<void>;
}

/** A worker that accepts by itself: its thread, its places, its record, and its drain. */
export class AcceptingWorker {
  /** The places that the worker has taken. */
  readonly places: SharedPlaces;
  /** The counters and the clients of the worker. */
  readonly record = new AcceptRecord();
  readonly #thread: WorkerThread;
  readonly #report = Promise.withResolvers<ServerCloseReport>();
  readonly #released = Promise.withResolvers<void>();
  #draining = false;
  /** Whether the server has cut off the open requests. */
  givenUp = false;

  /**
   * @param init The data that the worker starts with.
   * @param hooks The calls that the worker makes to its pool.
   * @param limits The limits of the worker.
   */
  constructor(
    init: AcceptingWorkerInit,
    hooks: AcceptingWorkerHooks,
    limits: WorkerLimits,
  ) {
    this.places = new SharedPlaces(init.accept.places, init.accept.thread);
    const accept = { ...init.accept, record: this.record.memory };
    const data = { ...init, accept };
    this.#thread = new WorkerThread(data, this.#threadHooks(hooks), limits);
    this.#thread.started.then(() => {
      this.#thread.watchdog?.start();
      hooks.onReady(this);
    }, () => {}); // started() rejects with the reason
  }

  #threadHooks(hooks: AcceptingWorkerHooks): ThreadHooks {
    return {
      onFrame: (type, _id, payload) => this.#onFrame(hooks, type, payload),
      onLeave: () => hooks.onLeave(this),
      onDeath: (error, cause) => {
        void this.#thread.exited.then(() => { // until then the worker still takes places and gives them back
          this.#report.resolve(this.#reportOfDeath());
          hooks.onDeath(this, error, cause);
          this.#released.resolve();
        });
      },
      openRequests: () => this.places.held,
      shutdown: hooks.shutdown,
    };
  }

  #onFrame(
    hooks: AcceptingWorkerHooks,
    type: number,
    payload: Uint8Array,
  ): void {
    if (type === frames.INCIDENT) hooks.onIncident(frames.unpack(payload)!);
    else if (type === frames.EVENT) {
      hooks.onEvent(this, frames.unpack(payload)!);
    } else if (type === frames.DRAINED) {
      this.#report.resolve(frames.unpack(payload)!);
    } else if (type === frames.RELEASED) this.#released.resolve();
  }

  /** Whether the worker accepts. */
  get ready(): boolean {
    return this.#thread.ready && !this.#thread.leaving;
  }

  /** Rejects with the reason if the worker does not start. */
  async started(): Promise<void> {
    try {
      await this.#thread.started;
    } catch (error) {
      throw error instanceof StartFailure ? error.reason : error;
    }
  }

  /** Whether the worker has got a request. */
  get used(): boolean {
    return this.record.lastClient !== undefined;
  }

  /** Resolves when the thread has ended. */
  get exited(): Promise<WorkerEnd> {
    return this.#thread.exited;
  }

  /** Changes settings. */
  set(settings: WorkerSettings): void {
    if (this.ready) {
      this.#thread.channel.send(frames.SETTINGS, 0, frames.pack(settings));
    }
  }

  /** Stops accepting, and tells the handlers that the server shuts down. */
  drain(): void {
    this.#draining = true;
    if (this.ready) this.#thread.channel.send(frames.DRAIN, 0);
    else void this.#thread.close();
  }

  /** Cuts off the open requests after the drain. Resolves to the report of the drain. */
  async giveUp(): Promise<ServerCloseReport> {
    if (!this.#thread.dead) {
      this.givenUp = true;
      this.#thread.channel.send(frames.GIVE_UP, 0);
      const reported = await resolvesWithin(this.#report.promise, REPORT_MS);
      if (!reported) void this.#thread.close();
    }
    return await this.#report.promise;
  }

  /** Returns the report of a worker that has died during the drain. */
  #reportOfDeath(): ServerCloseReport {
    const lost = this.#draining ? this.places.held : 0;
    return this.givenUp
      ? { idle: 0, finished: 0, forced: lost }
      : { idle: 0, finished: lost, forced: 0 };
  }

  /** Terminates the worker once the last bytes after its drain are sent. Resolves when it has exited. */
  async close(): Promise<void> {
    if (this.ready) await resolvesWithin(this.#released.promise, RELEASE_MS);
    await this.#thread.close();
  }
}
