/**
 * The main thread's side of one worker and its requests.
 *
 * @module
 */

import { Worker } from "node:worker_threads";
import { asError, type Failure, fromFailure } from "../handoff/failure.ts";
import type { Address } from "../base/address.ts";
import { checkTime, type ExpiredRequests } from "../requests/remote_runner.ts";
import type { WorkerExitReason } from "../stages/event_types.ts";
import type { LimitName } from "../stages/stages.ts";
import { Socket } from "../socket/socket_object.ts";
import { FrameChannel, frameChannelMemory } from "../channel/frame_channel.ts";
import * as P from "../channel/frames.ts";
import { answer, checkDatagram, DatagramRelay } from "./datagram_relay.ts";
import { StreamRelay } from "./stream_relay.ts";
import { WorkerConnections } from "./worker_connections.ts";
import { endOf, type WorkerEnd } from "./worker_events.ts";
import type { WorkerInit } from "./worker_request_runner.ts";
import type { ResourceLimits, WorkerLimits } from "./resource_limits.ts";
import { Watchdog } from "./watchdog.ts";

/** The last number of a request before they begin again at 1. Negative numbers are those of the worker's connections. */
const ID_MAX = 2 ** 31 - 1;

/** The data that all workers of a pool start with. */
export type PoolWorkerInit = Omit<WorkerInit, "memory">;

/** Rejects a request whose worker did not start. The request is untouched, and another worker may run it. */
export class StartFailure {
  /** @param reason Why the worker did not start. */
  constructor(readonly reason: unknown) {}
}

/** The calls that a worker makes to its pool. */
export interface PoolWorkerHooks {
  /** Called when a handler has ended, and the worker can take another request. */
  onCapacity(): void;
  /** Called when the worker takes no more requests. */
  onExit(worker: PoolWorker): void;
  /** Reports an error that ended the worker while it had no request; `request` is its last one. */
  onUnownedError(request: unknown, clientAddress: Address, error: Error): void;
  /** Called when a request is over a limit; null for a request that has ended. */
  onLimit(limit: LimitName, clientAddress: Address | null): void;
  /** Calls the server's `shutdown`. */
  shutdown(): Promise<void>;
}

interface Running {
  readonly clientAddress: Address;
  readonly request: unknown;
  readonly relay: StreamRelay | DatagramRelay;
  readonly resolve: (idle: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Owns a worker: starts it, gives it requests, notices its end and terminates it.
 *
 * The worker comes from `node:worker_threads` and is not a Web Worker, for two reasons. In Deno 2.9.6 `terminate()` of a
 * Web Worker does not stop a loop or a blocked `Atomics.wait`: the thread goes on, and keeps the process alive
 * (denoland/deno#35657). And a Web Worker that ends itself raises no event; this one raises `exit`.
 */
export class PoolWorker {
  /** The count of requests that the worker has or is about to get. */
  load = 0;
  /** Whether the handler's class is loaded. */
  ready = false;
  readonly #worker: Worker;
  readonly #channel: FrameChannel;
  readonly #idleCount: Int32Array;
  readonly #hooks: PoolWorkerHooks;
  readonly #running = new Map<number, Running>();
  /** The relays whose handlers have ended, and whose unread bytes are on their way back. */
  readonly #returning = new Map<number, StreamRelay | DatagramRelay>();
  /** The connections that the handlers of the worker have opened. */
  readonly #connections: WorkerConnections;
  readonly #watchdog: Watchdog | undefined;
  #last: [request: unknown, clientAddress: Address] | undefined;
  #lastId = 0;
  #cause: Error | undefined;
  #leaving = false;
  #dead = false;
  /** The error with which the requests ended when the worker died. */
  #death: Error | undefined;
  readonly #started = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<WorkerEnd>();
  /** How it ends; set when it is terminated. */
  #end: WorkerEnd | undefined;

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
    const memory = frameChannelMemory();
    this.#idleCount = new Int32Array(memory.idle);
    this.#channel = new FrameChannel(memory, "main", this.#onFrame.bind(this));
    this.#connections = new WorkerConnections(this.#channel);
    const { workerTimeout, resourceLimits } = limits;
    if (workerTimeout !== null) {
      this.#watchdog = new Watchdog(workerTimeout, this.#channel, (reason) => {
        this.#terminate(new Error(reason), "timeout");
      });
    }
    this.#started.promise.catch(() => {}); // each request that waits for the start handles it
    this.#worker = this.#startWorker({ ...init, memory }, resourceLimits);
    this.#channel.receiveAll().catch((error) =>
      this.#terminate(asError(error))
    );
  }

  #startWorker(init: WorkerInit, resourceLimits: ResourceLimits): Worker {
    const name = `socketserver ${init.handler.exportName}`;
    const options = { name, workerData: init, resourceLimits };
    const worker = new Worker(entry(), options);
    worker.on("error", (error: unknown) => {
      this.#cause ??= asError(error);
    });
    worker.on("exit", () => {
      this.#terminate(undefined);
      this.#exited.resolve(this.#end!);
    });
    return worker;
  }

  /** Resolves when the thread has ended. */
  get exited(): Promise<WorkerEnd> {
    return this.#exited.promise;
  }

  /** Whether the worker takes no more requests. */
  get dead(): boolean {
    return this.#leaving;
  }

  #leave(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#hooks.onExit(this);
  }

  /**
   * Runs the handler for a request in the worker.
   *
   * @returns Whether the handler ended because {@linkcode PoolWorker.endIdle} has ended its wait.
   * @throws {StartFailure} if the worker does not start.
   */
  run(request: unknown, clientAddress: Address): Promise<boolean> {
    if (this.ready) return this.#runNow(request, clientAddress);
    return this.#started.promise.then(() =>
      this.#runNow(request, clientAddress)
    );
  }

  #runNow(request: unknown, clientAddress: Address): Promise<boolean> {
    if (this.#dead) return Promise.reject(new StartFailure(this.#death));
    const id = this.#lastId = this.#lastId % ID_MAX + 1;
    let relay: StreamRelay | DatagramRelay;
    try {
      checkTime(request);
      relay = this.#open(id, request, clientAddress);
    } catch (error) {
      this.#release();
      return Promise.reject(error);
    }
    this.#last = [request, clientAddress];
    this.#watchdog?.start();
    return new Promise((resolve, reject) => {
      this.#running.set(id, { request, clientAddress, relay, resolve, reject });
      if (this.#running.size === 1) this.#worker.ref();
    });
  }

  #open(
    id: number,
    request: unknown,
    clientAddress: Address,
  ): StreamRelay | DatagramRelay {
    const relay = request instanceof Socket
      ? new StreamRelay(this.#channel, id, request)
      : new DatagramRelay(this.#channel, id, checkDatagram(request));
    relay.open({ clientAddress });
    return relay;
  }

  #release(): void {
    this.load--;
    this.#hooks.onCapacity();
  }

  #onFrame(type: number, id: number, payload: Uint8Array): void {
    if (type === P.FINISHED || type === P.FINISHED_IDLE) {
      this.#finish(id, type, payload);
    } else if (type === P.HEARTBEAT) this.#watchdog?.alive();
    else if (type === P.READY) this.#onReady();
    else if (type === P.LOAD_FAILED) {
      this.#onLoadFailed(fromFailure(P.unpack(payload)!));
    } else if (type === P.SHUTDOWN) {
      answer(this.#channel, id, this.#hooks.shutdown());
    } else if (type === P.LIMIT) {
      const client = this.#running.get(id)?.clientAddress ?? null;
      this.#hooks.onLimit(P.unpack(payload)!, client);
    } else if (type === P.CRASHED) {
      this.#cause = asError(fromFailure(P.unpack<Failure>(payload)!));
      this.#leave(); // so that it gets no other request
      queueMicrotask(() => this.#terminate(undefined));
    } else if (id < 0) this.#connections.onFrame(type, id, payload);
    else {
      const relay = this.#running.get(id)?.relay ?? this.#returning.get(id);
      relay?.onFrame(type, payload);
    }
  }

  #onReady(): void {
    this.#worker.unref(); // an idle worker does not keep the process alive
    this.ready = true;
    this.#started.resolve();
  }

  /** Ends a worker that cannot load the handler's class. Its requests go to other workers, or fail with `reason`. */
  #onLoadFailed(reason: unknown): void {
    this.#started.reject(new StartFailure(reason));
    this.#leave();
    queueMicrotask(() => this.#terminate(asError(reason), "load"));
  }

  /** Ends a request whose handler has ended, once all of its bytes are sent. */
  #finish(id: number, type: number, payload: Uint8Array): void {
    const received = P.uncount(payload);
    const failure = P.unpack<Failure>(payload.subarray(P.COUNT_BYTES));
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    if (this.#running.size === 0) this.#idle();
    const failed = failure && { thrown: fromFailure(failure) };
    this.#settle(running, failed, received, type === P.FINISHED_IDLE);
    if (running.relay.unreadReturned) this.#awaitUnread(id, running.relay);
    this.#release(); // the main thread writes what is left
  }

  #idle(): void {
    this.#watchdog?.stop();
    this.#worker.unref();
  }

  #settle(
    { relay, resolve, reject }: Running,
    failed?: { thrown: unknown },
    received?: number,
    idle = false,
  ): void {
    relay.end(received).then(() =>
      failed === undefined ? resolve(idle) : reject(failed.thrown)
    );
  }

  /** Keeps a relay whose handler has ended until the worker has given back the unread bytes. */
  #awaitUnread(id: number, relay: StreamRelay | DatagramRelay): void {
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
    this.#channel.send(P.DRAIN, 0);
  }

  /** Ends the waits of handlers between two messages. */
  endIdle(): void {
    if (!this.#dead) this.#channel.send(P.END_IDLE, 0);
  }

  /** Terminates the worker, whatever it does. Resolves when it has exited. */
  close(): Promise<unknown> {
    this.#terminate(new Error("the server was closed"), "closed");
    return this.#exited.promise;
  }

  /** Terminates the worker and fails its requests. Also called once it has exited by itself. */
  #terminate(
    cause: Error | undefined,
    reason?: WorkerExitReason,
  ): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#leave();
    this.#channel.receive(); // its last frames may say why
    const error = this.#cause ?? cause;
    const why = reason ?? (this.ready ? undefined : "load");
    this.#end = endOf(why, error, this.#running.size);
    this.#watchdog?.stop();
    this.#worker.ref(); // the exit must be seen
    this.#worker.terminate(); // stops a loop or a blocked wait too, as the worker holds a Web Lock
    this.#channel.close();
    this.#connections.close();
    this.#failRequests(error);
  }

  #failRequests(cause: Error | undefined): void {
    const reason = cause === undefined
      ? "it ended itself, with close() or Deno.exit()"
      : cause.message;
    const error = this.#death = new Error(
      `Cannot go on with the request: its worker died: ${reason}`,
      cause && { cause },
    );
    this.#started.reject(new StartFailure(error));
    if (
      this.#running.size === 0 && this.#cause !== undefined &&
      this.#last !== undefined
    ) this.#hooks.onUnownedError(...this.#last, error);
    for (const running of this.#running.values()) {
      this.#settle(running, { thrown: error });
    }
    this.#running.clear();
  }
}

/** Returns the entry of the worker. `node:worker_threads` takes only file and data URLs, so other URLs are imported. */
function entry(): URL {
  const url = new URL("./worker.ts", import.meta.url);
  if (url.protocol === "file:") return url;
  const source = `import ${JSON.stringify(url.href)};`;
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}

/**
 * Puts the entry of the worker into the module graph. Never called: without this literal `deno cache` does not store the
 * entry, and no worker can start offline.
 */
export function entryInGraph(): Promise<unknown> {
  return import("./worker.ts");
}
