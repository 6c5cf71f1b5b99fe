/**
 * The thread of one worker: its start, its end, and the frames that every worker sends.
 *
 * @module
 */

import { Worker } from "node:worker_threads";
import { asError, type Failure, fromFailure } from "../handoff/failure.ts";
import {
  type HandlerReference,
  limitStart,
} from "../handoff/handler_reference.ts";
import type { AnyServer, WorkerExitReason } from "../stages/event_types.ts";
import { workerExit, workerStart } from "../stages/events.ts";
import {
  FrameChannel,
  type FrameChannelMemory,
  frameChannelMemory,
  type OnFrame,
} from "../channel/frame_channel.ts";
import * as frames from "../channel/frames.ts";
import { answer } from "../channel/pending_calls.ts";
import { checkReadable } from "../handoff/permissions.ts";
import { checkDescriptors } from "../runtime/system/free_descriptors.ts";
import type { ResourceLimits, WorkerLimits } from "./worker_limits.ts";
import { Watchdog } from "./watchdog.ts";

/** Rejects a request whose worker did not start. The request is untouched, and another worker may run it. */
export class StartFailure {
  /** @param reason Why the worker did not start. */
  constructor(readonly reason: unknown) {}
}

/** The end of a worker. */
export interface WorkerEnd {
  /** Why the worker has ended. */
  readonly reason: WorkerExitReason;
  /** The number of requests that failed with the worker. */
  readonly requests: number;
  /** The error that ended the worker; undefined if there is none. */
  readonly error: unknown;
}

/** The calls that a thread makes to its owner. */
export interface ThreadHooks {
  /** Handles a frame that the thread does not handle itself. */
  readonly onFrame: OnFrame;
  /** Called once, when the worker takes no more requests. */
  onLeave(): void;
  /** Fails the requests of the worker: it is dead. Its last frames have been handled. */
  onDeath(error: Error, cause: Error | undefined): void;
  /** The number of requests that fail with the worker. */
  openRequests(): number;
  /** Calls the server's `shutdown`. */
  shutdown(): Promise<void>;
}

/** The data of each worker that the thread itself needs. */
export interface ThreadInit {
  /** The handler's class. */
  readonly handler: HandlerReference;
}

/**
 * Starts a thread, notices its end and terminates it.
 *
 * The worker comes from `node:worker_threads` and is not a Web Worker, for two reasons. In Deno 2.9.6 `terminate()` of a
 * Web Worker does not stop a loop or a blocked `Atomics.wait`: the thread goes on, and keeps the process alive
 * (denoland/deno#35657). And a Web Worker that ends itself raises no event; this one raises `exit`.
 */
export class WorkerThread {
  /** Whether the handler's class is loaded. */
  ready = false;
  /** Whether the worker takes no more requests. */
  leaving = false;
  /** Whether the worker has ended, or is being terminated. */
  dead = false;
  /** The error with which the requests ended when the worker died. */
  death: Error | undefined;
  /** The channel to the worker. */
  readonly channel: FrameChannel;
  /** Watches the worker; undefined without a `workerTimeout`. */
  readonly watchdog: Watchdog | undefined;
  readonly #worker: Worker;
  readonly #hooks: ThreadHooks;
  #cause: Error | undefined;
  readonly #startTimer: ReturnType<typeof setTimeout>;
  readonly #started = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<WorkerEnd>();
  /** The reason of the end; set when the worker is terminated. */
  #end: WorkerEnd | undefined;

  /**
   * @param init The data that the worker starts with.
   * @param hooks The calls that the thread makes to its owner.
   * @param limits The limits of the worker.
   * @throws {OSError} if the process may not read the modules of a worker, or has too few free descriptors.
   */
  constructor(
    init: ThreadInit,
    hooks: ThreadHooks,
    limits: WorkerLimits,
  ) {
    const { moduleUrl } = init.handler;
    checkReadable(import.meta.url, moduleUrl);
    checkDescriptors(import.meta.url, moduleUrl);
    this.#hooks = hooks;
    const memory = frameChannelMemory();
    this.channel = new FrameChannel(memory, "main", this.#onFrame.bind(this));
    const { workerTimeout, resourceLimits } = limits;
    if (workerTimeout !== null) {
      const onStuck = (error: Error) => this.terminate(error, "timeout");
      this.watchdog = new Watchdog(workerTimeout, this.channel, onStuck);
    }
    this.#started.promise.catch(() => {}); // each request that waits for the start handles it
    this.#worker = this.#startWorker({ ...init, memory }, resourceLimits);
    this.#startTimer = limitStart(
      moduleUrl,
      "in a worker",
      (error) => this.#onLoadFailed(error),
    );
    this.channel.receiveAll().catch((error) => this.terminate(asError(error)));
  }

  #startWorker(
    init: ThreadInit & { memory: FrameChannelMemory },
    resourceLimits: ResourceLimits,
  ): Worker {
    const name = `socketserver ${init.handler.exportName}`;
    const options = { name, workerData: init, resourceLimits };
    const worker = new Worker(entry(), options);
    worker.on("error", (error: unknown) => {
      this.#cause ??= asError(error);
    });
    worker.on("exit", () => {
      this.terminate(undefined);
      this.#exited.resolve(this.#end!);
    });
    return worker;
  }

  /** Resolves when the handler's class is loaded. Rejects with a {@linkcode StartFailure}. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** Resolves when the thread has ended. */
  get exited(): Promise<WorkerEnd> {
    return this.#exited.promise;
  }

  /** Keeps the process alive while the thread runs. */
  ref(): void {
    this.#worker.ref();
  }

  /** Lets the process end while the thread runs. */
  unref(): void {
    this.#worker.unref();
  }

  #leave(): void {
    if (this.leaving) return;
    this.leaving = true;
    this.#hooks.onLeave();
  }

  #onFrame(type: number, id: number, payload: Uint8Array): void {
    if (type === frames.HEARTBEAT) this.watchdog?.alive();
    else if (type === frames.READY) this.#onReady();
    else if (type === frames.LOAD_FAILED) {
      this.#onLoadFailed(fromFailure(frames.unpack(payload)!));
    } else if (type === frames.SHUTDOWN) {
      answer(this.channel, id, this.#hooks.shutdown());
    } else if (type === frames.CRASHED) {
      this.#cause = asError(fromFailure(frames.unpack<Failure>(payload)!));
      this.#leave(); // so that it gets no other request
      queueMicrotask(() => this.terminate(undefined));
    } else this.#hooks.onFrame(type, id, payload);
  }

  #onReady(): void {
    this.#worker.unref(); // an idle worker does not keep the process alive
    this.ready = true;
    clearTimeout(this.#startTimer);
    this.#started.resolve();
  }

  /** Ends a worker that cannot load the handler's class. Its requests go to other workers, or fail with `reason`. */
  #onLoadFailed(reason: unknown): void {
    this.#started.reject(new StartFailure(reason));
    this.#leave();
    queueMicrotask(() => this.terminate(asError(reason), "load"));
  }

  /** Terminates the worker, even one that computes. Resolves when it has exited. */
  close(): Promise<unknown> {
    this.terminate(new Error("the server was closed"), "closed");
    return this.#exited.promise;
  }

  /** Terminates the worker and fails its requests. Also called once it has exited by itself. */
  terminate(cause: Error | undefined, reason?: WorkerExitReason): void {
    if (this.dead) return;
    this.dead = true;
    this.#leave();
    this.channel.receive(); // its last frames may say why
    const error = this.#cause ?? cause;
    const why = reason ?? (this.ready ? undefined : "load");
    this.#end = workerEndOf(why, error, this.#hooks.openRequests());
    this.watchdog?.stop();
    clearTimeout(this.#startTimer);
    this.#worker.ref(); // the exit must be seen
    this.#worker.terminate(); // stops a loop or a blocked wait too, as the worker holds a Web Lock
    this.channel.close();
    const death = this.death = deathOf(error);
    this.#started.reject(new StartFailure(death));
    this.#hooks.onDeath(death, this.#cause);
  }
}

/** Returns the end of a worker. Without a reason the worker has crashed, if there is an error, or ended itself. */
function workerEndOf(
  reason: WorkerExitReason | undefined,
  error: (Error & { code?: unknown }) | undefined,
  requests: number,
): WorkerEnd {
  if (reason === "closed") return { reason, requests, error: undefined };
  if (error?.code === "ERR_WORKER_OUT_OF_MEMORY") reason = "memory";
  reason ??= error === undefined ? "exited" : "crashed";
  return { reason, requests, error };
}

/** Returns the error of the requests of a worker that has died. */
function deathOf(cause: Error | undefined): Error {
  const reason = cause === undefined
    ? "it ended itself, with close() or Deno.exit()"
    : cause.message;
  return new Error(
    `Cannot go on with the request: its worker died: ${reason}`,
    cause && { cause },
  );
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

let lastWorker = 0;

/** Publishes the start of a worker, and its end when it has exited. */
export function publishWorker(
  server: AnyServer,
  { exited }: { readonly exited: Promise<WorkerEnd> },
): void {
  const worker = ++lastWorker;
  if (workerStart.hasSubscribers) workerStart.publish({ server, worker });
  exited.then((end) => {
    if (workerExit.hasSubscribers) {
      workerExit.publish({ server, worker, ...end });
    }
  });
}
