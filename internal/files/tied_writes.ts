/**
 * Sends small writes together that follow each other in one turn of the event loop.
 *
 * If a client sends many requests in one packet, a handler makes one write for each answer, and a system call costs
 * several times as much as a short answer: sixteen lines, echoed with sixteen writes, reached a fifth of the rate of
 * one write for all. So an unbuffered `wfile` holds a small write while `rfile` already has the next request, and this
 * module sends the held bytes when the microtasks of the turn have run.
 *
 * Only Node's `process.nextTick` runs after the microtasks, and loading it costs 22 ms. So one function for all
 * connections queues itself as a microtask, again and again, until a number of them have run without a write.
 *
 * @module
 */

import type { Tied } from "./raw_streams.ts";

/**
 * The number of microtasks without a write after which the held bytes are sent. A handler that only parses and answers
 * takes fewer from one write to the next. Counting them takes as long as one system call.
 */
const QUIET_MICROTASKS = 50;

/**
 * The most milliseconds for which bytes are held while handlers compute: too short to notice, and longer than 64
 * connections need for 16 lines each, which is about 1 ms. Arbitrary.
 */
const HOLD_MS = 5;

/** The writers that hold bytes. */
const holding = new Set<Tied>();
let writes = 0;
let watching = false;

/** Sends the held bytes of `writer` at the end of the turn. Call this at each held write. */
export function scheduleSend(writer: Tied): void {
  writes++;
  holding.add(writer);
  if (watching) return;
  watching = true;
  watch();
}

/** Forgets `writer`, which has sent its held bytes. */
export function cancelSend(writer: Tied): void {
  holding.delete(writer);
}

async function watch(): Promise<void> {
  const start = performance.now();
  for (
    let calm = 0, seen = 0;
    holding.size > 0 && calm < QUIET_MICROTASKS;
    calm++
  ) {
    if (writes !== seen) {
      if (performance.now() - start > HOLD_MS) break;
      seen = writes;
      calm = 0;
    }
    await undefined;
  }
  watching = false;
  for (const writer of holding) writer.sendHeld();
  holding.clear();
}
