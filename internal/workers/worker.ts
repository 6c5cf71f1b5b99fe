/**
 * The entry of a worker.
 *
 * @module
 */

import { getHeapStatistics } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { CRASHED, packFailure } from "../channel/frames.ts";
import { WorkerRequestRunner } from "./worker_request_runner.ts";

const scope = globalThis as unknown as EventTarget & {
  self?: unknown;
  close(): void;
};
scope.self ??= scope; // as in a Web Worker

/** The milliseconds between two checks of the heap. Arbitrary: a check takes 10 us. */
const LOOK_MS = 500;

parentPort!.on("message", () => {}); // keeps the worker alive

await holdLock();

const runner = "accept" in workerData
  ? new (await import("./accepting_runner.ts")).AcceptingRunner(workerData)
  : new WorkerRequestRunner(workerData);
scope.addEventListener("error", (event) => {
  crash(event, (event as ErrorEvent).error);
});
scope.addEventListener("unhandledrejection", (event) => {
  crash(event, (event as PromiseRejectionEvent).reason);
});
watchHeap((error) => crash(undefined, error));
runner.run();

/** The Web Locks, for which Deno has no types. */
interface WithLocks {
  locks?: {
    request(
      name: string,
      options: { mode: "shared" },
      callback: () => Promise<void>,
    ): void;
  };
}

/**
 * Holds a Web Lock until the worker ends: only then does `terminate()` stop a loop (Deno 2.9.6). Deno 2.8 has no Web
 * Locks, so a loop goes on there.
 */
function holdLock(): Promise<void> {
  const { locks } = navigator as WithLocks;
  if (locks === undefined) return Promise.resolve();
  return new Promise((granted) => {
    locks.request("socketserver worker", { mode: "shared" }, () => {
      granted();
      return new Promise(() => {});
    });
  });
}

/** The milliseconds that a worker waits with its last frame for a busy main thread. Arbitrary. */
const LAST_FRAME_MS = 1000;

/** Reports an error outside of a handler to the main thread, and ends the worker. */
function crash(event: Event | undefined, error: unknown): void {
  event?.preventDefault();
  runner.channel.sendLast(CRASHED, 0, packFailure(error), LAST_FRAME_MS);
  scope.close();
}

/**
 * Calls `onFull` when the worker has reached the limit of its heap. Deno (2.9.6) then ends the running code and raises
 * the limit to do so, but ends the worker only if the event loop itself had called that code. Otherwise the worker goes
 * on without that code, whose handler never ends.
 */
function watchHeap(onFull: (error: Error) => void): void {
  const before = getHeapStatistics().heap_size_limit;
  const timer = setInterval(() => {
    if (getHeapStatistics().heap_size_limit <= before) return;
    clearInterval(timer);
    onFull(
      Object.assign(
        new Error("it reached the limit of its memory, see resourceLimits"),
        { code: "ERR_WORKER_OUT_OF_MEMORY" },
      ),
    );
  }, LOOK_MS);
}
