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

/** How often it looks; arbitrary. A look takes 10 us. */
const LOOK_MS = 500;

parentPort!.on("message", () => {}); // keeps the worker alive

await holdLock();

const runner = new WorkerRequestRunner(workerData);
scope.addEventListener("error", (event) => {
  crash(event, (event as ErrorEvent).error);
});
scope.addEventListener("unhandledrejection", (event) => {
  crash(event, (event as PromiseRejectionEvent).reason);
});
watchHeap((error) => crash(undefined, error));
runner.run();

/** Holds a Web Lock to the end: only then does `terminate()` stop a loop (Deno 2.9.6). Its types are not in Deno's. */
function holdLock(): Promise<void> {
  const { locks } = navigator as unknown as {
    locks: {
      request(
        name: string,
        options: { mode: "shared" },
        callback: () => Promise<void>,
      ): void;
    };
  };
  return new Promise((granted) => {
    locks.request("socketserver worker", { mode: "shared" }, () => {
      granted();
      return new Promise(() => {});
    });
  });
}

/** How long a worker waits with its last words for a main thread that is busy; arbitrary. */
const LAST_FRAME_MS = 1000;

/** An error outside of any handler: tells the main thread, and ends. */
function crash(event: Event | undefined, error: unknown): void {
  event?.preventDefault();
  runner.channel.sendLast(CRASHED, 0, packFailure(error), LAST_FRAME_MS);
  scope.close();
}

/**
 * PendingCalls back when the worker has reached the limit of its heap. Deno (2.9.6) ends the code that runs then, and
 * raises the limit so that this can happen; but only if that code was called by the event loop itself does it end the
 * worker too. Otherwise the worker goes on without the code that was ended, whose handler never ends.
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
