/**
 * One worker and its requests, as the main thread has them.
 *
 * @module
 */

import { Worker } from "node:worker_threads";
import { type Failure, fromFailure } from "../handoff/failure.ts";
import type { Address } from "../base/address.ts";
import { Socket } from "../socket/socket_object.ts";
import { FrameChannel, frameChannelMemory } from "../channel/frame_channel.ts";
import * as P from "../channel/frames.ts";
import { answer, DatagramRelay } from "./datagram_relay.ts";
import { StreamRelay } from "./stream_relay.ts";
import type { WorkerInit } from "./worker_request_runner.ts";
import type { ResourceLimits } from "./resource_limits.ts";
import { Watchdog } from "./watchdog.ts";

/** What a worker is told, besides what each gets of its own. */
export type PoolWorkerInit = Omit<WorkerInit, "memory">;

/** What is allowed to a worker. */
export interface WorkerLimits {
  /** Seconds after which a worker that shows no sign of life is ended; null is never. */
  readonly workerTimeout: number | null;
  /** How much memory it may have. */
  readonly resourceLimits: ResourceLimits;
}

/** What a request ends with whose worker did not start: it is as it was, and another worker may take it. */
export class StartFailure {
  /** @param reason Why the worker did not start. */
  constructor(readonly reason: unknown) {}
}

/** What a worker asks of its pool. */
export interface PoolWorkerHooks {
  /** A handler has ended: there is room for another. */
  onCapacity(): void;
  /** The worker is gone. */
  onExit(member: PoolWorker): void;
  /** The worker died of an error while no request was under way: the last one left it behind. */
  onUnownedError(request: unknown, clientAddress: Address, error: Error): void;
  /** PendingCalls the server's `shutdown`. */
  shutdown(): Promise<void>;
}

interface Running {
  readonly relay: StreamRelay | DatagramRelay;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Owns a worker: starts it, gives it requests, notices its death and ends it.
 *
 * It is one of `node:worker_threads` and not a Web Worker for two reasons. In Deno 2.9.6 `terminate()` of a Web
 * Worker does not stop a loop or a blocked `Atomics.wait`: the thread goes on, and keeps the process
 * alive (denoland/deno#35657). And a Web Worker that ends itself raises no event, where this has `exit`.
 */
export class PoolWorker {
  /** How many requests it has, or is about to get. */
  load = 0;
  /** Whether it has loaded the handler's class. */
  ready = false;
  readonly #worker: Worker;
  readonly #channel: FrameChannel;
  readonly #hooks: PoolWorkerHooks;
  readonly #running = new Map<number, Running>();
  /** Those whose handlers have ended, while bytes are on their way back. */
  readonly #returning = new Map<number, StreamRelay | DatagramRelay>();
  readonly #watchdog: Watchdog | undefined;
  #last: [request: unknown, clientAddress: Address] | undefined;
  #lastId = 0;
  #cause: Error | undefined;
  #leaving = false;
  #dead = false;
  /** What its requests ended with when it died. */
  #death: Error | undefined;
  readonly #started = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<void>();

  /**
   * @param init What the worker is told.
   * @param hooks What it asks of its pool.
   * @param limits What is allowed to it.
   */
  constructor(
    init: PoolWorkerInit,
    hooks: PoolWorkerHooks,
    limits: WorkerLimits,
  ) {
    this.#hooks = hooks;
    const memory = frameChannelMemory();
    this.#channel = new FrameChannel(memory, "main", this.#onFrame.bind(this));
    const { workerTimeout, resourceLimits } = limits;
    if (workerTimeout !== null) {
      this.#watchdog = new Watchdog(workerTimeout, this.#channel, (reason) => {
        this.#terminate(new Error(reason));
      });
    }
    this.#started.promise.catch(() => {}); // each request that waits for it knows
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
      this.#exited.resolve();
      this.#terminate(undefined);
    });
    return worker;
  }

  /** Whether the worker takes no more requests: it is gone, or about to be. */
  get dead(): boolean {
    return this.#leaving;
  }

  #leave(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#hooks.onExit(this);
  }

  /**
   * Runs the handler for a request, in the worker.
   *
   * @throws {StartFailure} if the worker does not start.
   */
  run(request: unknown, clientAddress: Address): Promise<void> {
    if (this.ready) return this.#runNow(request, clientAddress);
    return this.#started.promise.then(() =>
      this.#runNow(request, clientAddress)
    );
  }

  #runNow(request: unknown, clientAddress: Address): Promise<void> {
    if (this.#dead) return Promise.reject(new StartFailure(this.#death));
    const id = this.#lastId = (this.#lastId + 1) | 0;
    let relay: StreamRelay | DatagramRelay;
    try {
      relay = this.#open(id, request, clientAddress);
    } catch (error) {
      this.#release();
      return Promise.reject(error);
    }
    this.#last = [request, clientAddress];
    this.#watchdog?.start();
    return new Promise((resolve, reject) => {
      this.#running.set(id, { relay, resolve, reject });
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
    if (type === P.FINISHED) {
      const failure = P.unpack<Failure>(payload.subarray(P.COUNT_BYTES));
      this.#finish(id, P.uncount(payload), failure);
    } else if (type === P.HEARTBEAT) this.#watchdog?.alive();
    else if (type === P.READY) this.#onReady();
    else if (type === P.LOAD_FAILED) {
      this.#onLoadFailed(fromFailure(P.unpack(payload)!));
    } else if (type === P.SHUTDOWN) {
      answer(this.#channel, id, this.#hooks.shutdown());
    } else if (type === P.CRASHED) {
      this.#cause = asError(fromFailure(P.unpack<Failure>(payload)!));
      this.#leave(); // before it gets another request
      queueMicrotask(() => this.#terminate(undefined));
    } else {
      const relay = this.#running.get(id)?.relay ?? this.#returning.get(id);
      relay?.onFrame(type, payload);
    }
  }

  #onReady(): void {
    this.#worker.unref(); // an idle one does not keep the program alive
    this.ready = true;
    this.#started.resolve();
  }

  /** The handler's class cannot be loaded: what the requests that wait end with, if no other worker takes them. */
  #onLoadFailed(reason: unknown): void {
    this.#started.reject(new StartFailure(reason));
    this.#leave();
    queueMicrotask(() => this.#terminate(undefined));
  }

  /** A handler has ended: so does its request, when all that it sent has left. */
  #finish(id: number, received: number, failure: Failure | undefined): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    if (this.#running.size === 0) this.#idle();
    const failed = failure && { thrown: fromFailure(failure) };
    this.#settle(running, failed, received);
    if (running.relay.unreadReturned) this.#awaitUnread(id, running.relay);
    this.#release(); // what is left to write is not for the worker to do
  }

  #idle(): void {
    this.#watchdog?.stop();
    this.#worker.unref();
  }

  #settle(
    { relay, resolve, reject }: Running,
    failed?: { thrown: unknown },
    received?: number,
  ): void {
    relay.end(received).then(() =>
      failed === undefined ? resolve() : reject(failed.thrown)
    );
  }

  /** Has a relay, whose handler has ended, get the bytes back that were on their way. */
  #awaitUnread(id: number, relay: StreamRelay | DatagramRelay): void {
    this.#returning.set(id, relay);
    relay.unreadReturned!.then(() => this.#returning.delete(id));
  }

  /** Tells the handlers that the server drains. */
  drain(): void {
    this.#channel.send(P.DRAIN, 0);
  }

  /** Ends the worker, whatever it does; resolves when it is gone. */
  close(): Promise<void> {
    this.#terminate(new Error("the server was closed"));
    return this.#exited.promise;
  }

  /** The worker is gone, or shall be: so are its requests. */
  #terminate(cause: Error | undefined): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#leave();
    this.#channel.receive(); // its last words
    this.#watchdog?.stop();
    this.#worker.ref(); // its end is waited for
    this.#worker.terminate(); // also from a loop, or while it blocks: it holds a Web Lock
    this.#channel.close();
    this.#failRequests(this.#cause ?? cause);
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

/** Where the worker begins. `node:worker_threads` takes files and data only: from elsewhere it imports. */
function entry(): URL {
  const url = new URL("./worker.ts", import.meta.url);
  if (url.protocol === "file:") return url;
  const source = `import ${JSON.stringify(url.href)};`;
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}

/**
 * Puts the entry of the worker into the module graph. Never called: without this literal `deno cache` would not
 * store the entry, and no worker could start offline.
 */
export function entryInGraph(): Promise<unknown> {
  return import("./worker.ts");
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error
    ? thrown
    : new Error(`Uncaught value: ${thrown}`);
}

function checkDatagram(request: unknown): [Uint8Array, Socket] {
  if (
    Array.isArray(request) && request[0] instanceof Uint8Array &&
    request[1] instanceof Socket
  ) return [request[0], request[1]];
  throw new TypeError(
    `Cannot run the handler in a worker: a request must be a Socket or [packet, socket], got ${
      Deno.inspect(request, { depth: 0 })
    }`,
  );
}
