/**
 * The entry of a worker.
 *
 * @module
 */

import { parentPort, workerData } from "node:worker_threads";
import { watchHeap } from "./heap_watch.ts";
import { DYING, packFailure } from "../channel/frames.ts";
import { Service } from "./worker_service.ts";

const scope = globalThis as unknown as EventTarget & {
  self?: unknown;
  close(): void;
};
scope.self ??= scope; // as in a Web Worker

parentPort!.on("message", () => {}); // keeps the worker alive

await holdLock();

const service = new Service(workerData);
scope.addEventListener("error", (event) => {
  die(event, (event as ErrorEvent).error);
});
scope.addEventListener("unhandledrejection", (event) => {
  die(event, (event as PromiseRejectionEvent).reason);
});
watchHeap((error) => die(undefined, error));
service.run();

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
const LAST_WORDS_MS = 1000;

/** An error outside of any handler: tells the main thread, and ends. */
function die(event: Event | undefined, error: unknown): void {
  event?.preventDefault();
  service.lane.sendLast(DYING, 0, packFailure(error), LAST_WORDS_MS);
  scope.close();
}
