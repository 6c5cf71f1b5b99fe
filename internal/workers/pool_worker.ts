/**
 * The main thread's side of one worker and its requests.
 *
 * @module
 */

import { type Failure, fromFailure } from "../handoff/failure.ts";
import type { Address } from "../base/address.ts";
import {
  checkTime,
  type ExpiredRequests,
} from "../requests/remote_requests.ts";
import type { LimitName } from "../stages/server_status.ts";
import { Socket } from "../socket/socket_object.ts";
import type { FrameChannel } from "../channel/frame_channel.ts";
import * as frames from "../channel/frames.ts";
import { checkDatagram, DatagramRelay } from "./datagram_relay.ts";
import { StreamRelay } from "./stream_relay.ts";
import { WorkerConnections } from "./worker_connections.ts";
import type { WorkerInit } from "./worker_request_runner.ts";
import type { WorkerLimits } from "./worker_limits.ts";
import {
  StartFailure,
  type ThreadHooks,
  type WorkerEnd,
  WorkerThread,
} from "./worker_thread.ts";

/** The last number of a request before they begin again at 1. Negative numbers are those of the worker's connections. */
const ID_MAX = 2 ** 31 - 1;

/** The data that all workers of a pool start with. */
export type PoolWorkerInit = Omit<WorkerInit, "memory" | "idle">;

/** The calls that a worker makes to its pool and to the server. */
export interface PoolWorkerHooks {
  /** Called when a handler has ended, and the worker can take another request. */
  onCapacity(): void;
  /** Called when the worker takes no more requests. */
  onLeave(worker: PoolWorker): void;
  /** Reports an error that ended the worker while it had no request; `request` is its last one. */
  onUnownedError(request: unknown, clientAddress: Address, error: Error): void;
  /** Called when a request is over a limit; null for a request that has ended. */
  onLimit(limit: LimitName, clientAddress: Address | null): void;
  /** Calls the server's `shutdown`. */
  shutdown(): Promise<void>;
}

/** Moves the bytes of a request. */
type Relay = StreamRelay | DatagramRelay;

/** A request whose handler runs. */
interface RunningRequest {
  readonly clientAddress: Address;
  readonly request: unknown;
  readonly relay: Relay;
  readonly resolve: (idle: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/** Gives requests to a worker, and relays their connections. */
export class PoolWorker {
  /** The count of requests that the worker has or is about to get. */
  load = 0;
  readonly #thread: WorkerThread;
  readonly #idleCount: Int32Array;
  readonly #hooks: PoolWorkerHooks;
  readonly #running = new Map<number, RunningRequest>();
  /** The relays whose handlers have ended, and whose unread bytes are on their way back. */
  readonly #returning = new Map<number, Relay>();
  /** The connections that the handlers of the worker have opened. */
  readonly #connections: WorkerConnections;
  #last: [request: unknown, clientAddress: Address] | undefined;
  #lastId = 0;

  /**
   * @param init The data that the worker starts with.
   * @param hooks The calls that the worker makes to its pool.
   * @param limits The limits of the worker.
   */
  constructor(
    init: PoolWorkerInit,
    hooks: PoolWorkerHooks,
    limits: WorkerLimits,
  ) {
    this.#hooks = hooks;
    const idle = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    this.#idleCount = new Int32Array(idle);
    const data = { ...init, idle };
    this.#thread = new WorkerThread(data, this.#threadHooks(), limits);
    this.#connections = new WorkerConnections(this.#channel);
  }

  #threadHooks(): ThreadHooks {
    return {
      onFrame: this.#onFrame.bind(this),
      onLeave: () => this.#hooks.onLeave(this),
      onDeath: (error, cause) => {
        this.#connections.close();
        this.#failRequests(error, cause);
      },
      openRequests: () => this.#running.size,
      shutdown: () => this.#hooks.shutdown(),
    };
  }

  get #channel(): FrameChannel {
    return this.#thread.channel;
  }

  /** Whether the handler's class is loaded. */
  get ready(): boolean {
    return this.#thread.ready;
  }

  /** Resolves when the thread has ended. */
  get exited(): Promise<WorkerEnd> {
    return this.#thread.exited;
  }

  /** Whether the worker takes no more requests. */
  get leaving(): boolean {
    return this.#thread.leaving;
  }

  /**
   * Runs the handler for a request in the worker.
   *
   * @returns Whether the handler ended because {@linkcode PoolWorker.endIdle} has ended its wait.
   * @throws {StartFailure} if the worker does not start.
   */
  run(request: unknown, clientAddress: Address): Promise<boolean> {
    if (this.ready) return this.#runNow(request, clientAddress);
    return this.#thread.started.then(() =>
      this.#runNow(request, clientAddress)
    );
  }

  #runNow(request: unknown, clientAddress: Address): Promise<boolean> {
    const thread = this.#thread;
    if (thread.dead) return Promise.reject(new StartFailure(thread.death));
    const id = this.#lastId = this.#lastId % ID_MAX + 1;
    let relay: Relay;
    try {
      checkTime(request);
      relay = this.#open(id, request, clientAddress);
    } catch (error) {
      this.#release();
      return Promise.reject(error);
    }
    this.#last = [request, clientAddress];
    thread.watchdog?.start();
    return new Promise((resolve, reject) => {
      this.#running.set(id, { request, clientAddress, relay, resolve, reject });
      if (this.#running.size === 1) thread.ref();
    });
  }

  #open(
    id: number,
    request: unknown,
    clientAddress: Address,
  ): Relay {
    const relay = request instanceof Socket
      ? new StreamRelay(this.#channel, id, request)
      : new DatagramRelay(this.#channel, id, checkDatagram(request));
    relay.open(clientAddress);
    return relay;
  }

  #release(): void {
    this.load--;
    this.#hooks.onCapacity();
  }

  #onFrame(type: number, id: number, payload: Uint8Array): void {
    if (type === frames.FINISHED || type === frames.FINISHED_IDLE) {
      this.#finish(id, type, payload);
    } else if (type === frames.LIMIT) {
      const client = this.#running.get(id)?.clientAddress ?? null;
      this.#hooks.onLimit(frames.unpack(payload)!, client);
    } else if (id < 0) this.#connections.onFrame(type, id, payload);
    else {
      const relay = this.#running.get(id)?.relay ?? this.#returning.get(id);
      relay?.onFrame(type, payload);
    }
  }

  /** Ends a request whose handler has ended, once all of its bytes are sent. */
  #finish(id: number, type: number, payload: Uint8Array): void {
    const received = frames.uncount(payload);
    const failure = frames.unpack<Failure>(
      payload.subarray(frames.COUNT_BYTES),
    );
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    if (this.#running.size === 0) this.#letProcessEnd();
    const failed = failure && { thrown: fromFailure(failure) };
    this.#settle(running, failed, received, type === frames.FINISHED_IDLE);
    if (running.relay.unreadReturned) this.#awaitUnread(id, running.relay);
    this.#release(); // the main thread writes what is left
  }

  /** Lets the process end: the worker has no request. */
  #letProcessEnd(): void {
    this.#thread.watchdog?.stop();
    this.#thread.unref();
  }

  #settle(
    { relay, resolve, reject }: RunningRequest,
    failed?: { thrown: unknown },
    received?: number,
    idle = false,
  ): void {
    relay.end(received).then(() =>
      failed === undefined ? resolve(idle) : reject(failed.thrown)
    );
  }

  /** Keeps a relay whose handler has ended until the worker has given back the unread bytes. */
  #awaitUnread(id: number, relay: Relay): void {
    this.#returning.set(id, relay);
    relay.unreadReturned!.then(() => this.#returning.delete(id));
  }

  /** Ends the requests among `expired`: their time is up. */
  expire(expired: ExpiredRequests): void {
    for (const { request, relay } of this.#running.values()) {
      const error = expired.get(request);
      if (error !== undefined) relay.expire(error);
    }
  }

  /** Whether the worker has started, and has no request, nor bytes of one on their way back. */
  get vacant(): boolean {
    return this.ready && this.load === 0 && this.#returning.size === 0;
  }

  /** The number of handlers that wait between two messages. */
  get idle(): number {
    return Atomics.load(this.#idleCount, 0);
  }

  /** Tells the handlers that the server shuts down. */
  drain(): void {
    this.#channel.send(frames.DRAIN, 0);
  }

  /** Ends the waits of handlers between two messages. */
  endIdle(): void {
    if (!this.#thread.dead) this.#channel.send(frames.END_IDLE, 0);
  }

  /** Terminates the worker, even one that computes. Resolves when it has exited. */
  close(): Promise<unknown> {
    return this.#thread.close();
  }

  #failRequests(error: Error, cause: Error | undefined): void {
    if (
      this.#running.size === 0 && cause !== undefined &&
      this.#last !== undefined
    ) this.#hooks.onUnownedError(...this.#last, error);
    for (const running of this.#running.values()) {
      this.#settle(running, { thrown: error });
    }
    this.#running.clear();
  }
}
