/**
 * One worker and its requests, as the main thread has them.
 *
 * @module
 */

import { Worker } from "node:worker_threads";
import { type Failure, fromFailure } from "../handoff/failure.ts";
import type { Address } from "../base/address.ts";
import { Socket } from "../socket/socket_object.ts";
import { Lane, laneMemory } from "../channel/lane.ts";
import * as P from "../channel/frames.ts";
import { answer, RelayedDatagram } from "./relayed_datagram.ts";
import { RelayedStream } from "./relayed_stream.ts";
import type { WorkerInit } from "./worker_service.ts";
import type { ResourceLimits } from "./resource_limits.ts";
import { Watchdog } from "./watchdog.ts";

/** What a worker is told, besides what each gets of its own. */
export type MemberInit = Omit<WorkerInit, "memory">;

/** What is allowed to a worker. */
export interface MemberLimits {
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
export interface MemberHooks {
  /** A handler has ended: there is room for another. */
  onFree(): void;
  /** The worker is gone. */
  onDeath(member: Member): void;
  /** The worker died of an error while no request was under way: the last one left it behind. */
  onStray(request: unknown, clientAddress: Address, error: Error): void;
  /** Calls the server's `shutdown`. */
  shutdown(): Promise<void>;
}

interface Running {
  readonly relay: RelayedStream | RelayedDatagram;
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
export class Member {
  /** How many requests it has, or is about to get. */
  load = 0;
  /** Whether it has loaded the handler's class. */
  up = false;
  readonly #worker: Worker;
  readonly #lane: Lane;
  readonly #hooks: MemberHooks;
  readonly #running = new Map<number, Running>();
  /** Those whose handlers have ended, while bytes are on their way back. */
  readonly #ending = new Map<number, RelayedStream | RelayedDatagram>();
  readonly #watchdog: Watchdog | undefined;
  #last: [request: unknown, clientAddress: Address] | undefined;
  #lastId = 0;
  #cause: Error | undefined;
  #left = false;
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
  constructor(init: MemberInit, hooks: MemberHooks, limits: MemberLimits) {
    this.#hooks = hooks;
    const memory = laneMemory();
    this.#lane = new Lane(memory, "main", this.#onFrame.bind(this));
    const { workerTimeout, resourceLimits } = limits;
    if (workerTimeout !== null) {
      this.#watchdog = new Watchdog(workerTimeout, this.#lane, (reason) => {
        this.#die(new Error(reason));
      });
    }
    this.#started.promise.catch(() => {}); // each request that waits for it knows
    this.#worker = this.#start({ ...init, memory }, resourceLimits);
    this.#lane.serve().catch((error) => this.#die(asError(error)));
  }

  #start(init: WorkerInit, resourceLimits: ResourceLimits): Worker {
    const name = `socketserver ${init.handler.exportName}`;
    const options = { name, workerData: init, resourceLimits };
    const worker = new Worker(entry(), options);
    worker.on("error", (error: unknown) => {
      this.#cause ??= asError(error);
    });
    worker.on("exit", () => {
      this.#exited.resolve();
      this.#die(undefined);
    });
    return worker;
  }

  /** Whether the worker takes no more requests: it is gone, or about to be. */
  get dead(): boolean {
    return this.#left;
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#hooks.onDeath(this);
  }

  /**
   * Runs the handler for a request, in the worker.
   *
   * @throws {StartFailure} if the worker does not start.
   */
  run(request: unknown, clientAddress: Address): Promise<void> {
    if (this.up) return this.#run(request, clientAddress);
    return this.#started.promise.then(() => this.#run(request, clientAddress));
  }

  #run(request: unknown, clientAddress: Address): Promise<void> {
    if (this.#dead) return Promise.reject(new StartFailure(this.#death));
    const id = this.#lastId = (this.#lastId + 1) | 0;
    let relay: RelayedStream | RelayedDatagram;
    try {
      relay = this.#open(id, request, clientAddress);
    } catch (error) {
      this.#free();
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
  ): RelayedStream | RelayedDatagram {
    const relay = request instanceof Socket
      ? new RelayedStream(this.#lane, id, request)
      : new RelayedDatagram(this.#lane, id, checkDatagram(request));
    relay.open({ clientAddress });
    return relay;
  }

  #free(): void {
    this.load--;
    this.#hooks.onFree();
  }

  #onFrame(type: number, id: number, payload: Uint8Array): void {
    if (type === P.FINISHED) {
      const failure = P.unpack<Failure>(payload.subarray(P.COUNT_BYTES));
      this.#finish(id, P.uncount(payload), failure);
    } else if (type === P.PULSE) this.#watchdog?.alive();
    else if (type === P.READY) this.#ready();
    else if (type === P.UNFIT) this.#unfit(fromFailure(P.unpack(payload)!));
    else if (type === P.SHUTDOWN) {
      answer(this.#lane, id, this.#hooks.shutdown());
    } else if (type === P.DYING) {
      this.#cause = asError(fromFailure(P.unpack<Failure>(payload)!));
      this.#leave(); // before it gets another request
      queueMicrotask(() => this.#die(undefined));
    } else {
      const relay = this.#running.get(id)?.relay ?? this.#ending.get(id);
      relay?.onFrame(type, payload);
    }
  }

  #ready(): void {
    this.#worker.unref(); // an idle one does not keep the program alive
    this.up = true;
    this.#started.resolve();
  }

  /** The handler's class cannot be loaded: what the requests that wait end with, if no other worker takes them. */
  #unfit(reason: unknown): void {
    this.#started.reject(new StartFailure(reason));
    this.#leave();
    queueMicrotask(() => this.#die(undefined));
  }

  /** A handler has ended: so does its request, when all that it sent has left. */
  #finish(id: number, received: number, failure: Failure | undefined): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    if (this.#running.size === 0) this.#idle();
    const failed = failure && { thrown: fromFailure(failure) };
    this.#settle(running, failed, received);
    if (running.relay.returning) this.#awaitRest(id, running.relay);
    this.#free(); // what is left to write is not for the worker to do
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
  #awaitRest(id: number, relay: RelayedStream | RelayedDatagram): void {
    this.#ending.set(id, relay);
    relay.returning!.then(() => this.#ending.delete(id));
  }

  /** Tells the handlers that the server drains. */
  drain(): void {
    this.#lane.send(P.DRAIN, 0);
  }

  /** Ends the worker, whatever it does; resolves when it is gone. */
  close(): Promise<void> {
    this.#die(new Error("the server was closed"));
    return this.#exited.promise;
  }

  /** The worker is gone, or shall be: so are its requests. */
  #die(cause: Error | undefined): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#leave();
    this.#lane.drain(); // its last words
    this.#watchdog?.stop();
    this.#worker.ref(); // its end is waited for
    this.#worker.terminate(); // also from a loop, or while it blocks: it holds a Web Lock
    this.#lane.close();
    this.#tell(this.#cause ?? cause);
  }

  #tell(cause: Error | undefined): void {
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
    ) this.#hooks.onStray(...this.#last, error);
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
