/**
 * One worker and its requests, as the main thread has them.
 *
 * @module
 */

import { Worker } from "node:worker_threads";
import { type Failure, fromFailure } from "../_remote/failure.ts";
import type { Address } from "../_socket/address.ts";
import { Socket } from "../_socket/facade.ts";
import { Lane, laneMemory } from "./lane.ts";
import * as P from "./protocol.ts";
import { answer, RelayedDatagram } from "./relayed_datagram.ts";
import { RelayedStream } from "./relayed_stream.ts";
import type { WorkerInit } from "./service.ts";
import { Watchdog } from "./watchdog.ts";

/** What a worker is told, besides what each gets of its own. */
export type MemberInit = Omit<WorkerInit, "memory">;

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
  readonly #worker: Worker;
  readonly #lane: Lane;
  readonly #hooks: MemberHooks;
  readonly #running = new Map<number, Running>();
  readonly #watchdog: Watchdog | undefined;
  #last: [request: unknown, clientAddress: Address] | undefined;
  #lastId = 0;
  #cause: Error | undefined;
  #left = false;
  #dead = false;
  readonly #exited = Promise.withResolvers<void>();

  /**
   * @param init What the worker is told.
   * @param hooks What it asks of its pool.
   * @param timeout Seconds after which a worker that shows no sign of life is ended; null is never.
   */
  constructor(init: MemberInit, hooks: MemberHooks, timeout: number | null) {
    this.#hooks = hooks;
    const memory = laneMemory();
    this.#lane = new Lane(memory, "main", this.#onFrame.bind(this));
    if (timeout !== null) {
      this.#watchdog = new Watchdog(timeout, this.#lane, (reason) => {
        this.#die(new Error(reason));
      });
    }
    this.#worker = this.#start({ ...init, memory });
    this.#lane.serve().catch((error) => this.#die(asError(error)));
  }

  #start(init: WorkerInit): Worker {
    const name = `socketserver ${init.handler.exportName}`;
    const worker = new Worker(entry(), { name, workerData: init });
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

  /** Runs the handler for a request, in the worker. */
  run(request: unknown, clientAddress: Address): Promise<void> {
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
    if (type === P.FINISHED) this.#finish(id, P.unpack(payload));
    else if (type === P.PULSE) this.#watchdog?.alive();
    else if (type === P.SHUTDOWN) {
      answer(this.#lane, id, this.#hooks.shutdown());
    } else if (type === P.DYING) {
      this.#cause = asError(fromFailure(P.unpack<Failure>(payload)!));
      this.#leave(); // before it gets another request
      queueMicrotask(() => this.#die(undefined));
    } else this.#running.get(id)?.relay.onFrame(type, payload);
  }

  /** A handler has ended: so does its request, when all that it sent has left. */
  #finish(id: number, failure: Failure | undefined): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    if (this.#running.size === 0) this.#watchdog?.stop();
    this.#settle(running, failure && { thrown: fromFailure(failure) });
    this.#free(); // what is left to write is not for the worker to do
  }

  #settle(
    { relay, resolve, reject }: Running,
    failed?: { thrown: unknown },
  ): void {
    relay.end().then(() =>
      failed === undefined ? resolve() : reject(failed.thrown)
    );
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
    this.#worker.terminate();
    this.#lane.close();
    this.#tell(this.#cause ?? cause);
  }

  #tell(cause: Error | undefined): void {
    const reason = cause === undefined
      ? "it ended itself, with close() or Deno.exit()"
      : cause.message;
    const error = new Error(
      `Cannot go on with the request: its worker died: ${reason}`,
      cause && { cause },
    );
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
