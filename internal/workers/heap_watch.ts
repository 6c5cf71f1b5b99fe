/**
 * Noticing that this worker has run out of memory.
 *
 * @module
 */

import { getHeapStatistics } from "node:v8";

/** How often it looks; arbitrary. A look takes 10 us. */
const LOOK_MS = 500;

/**
 * PendingCalls back when the worker has reached the limit of its heap. Deno (2.9.6) ends the code that runs then, and
 * raises the limit so that this can happen; but only if that code was called by the event loop itself does it end the
 * worker too. Otherwise the worker goes on without the code that was ended, whose handler never ends.
 */
export function watchHeap(onFull: (error: Error) => void): void {
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
