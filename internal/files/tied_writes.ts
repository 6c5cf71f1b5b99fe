/**
 * Sends small writes together that follow each other in one turn of the event loop.
 *
 * A client that sends many requests in one packet gets as many answers, each a write of its own. A system
 * call costs several times what it takes to make a short answer: sixteen lines, echoed by sixteen
 * writes, came to a fifth of the rate that one write for all of them reaches. So an unbuffered `wfile` holds
 * a small write while the next request is there already, and this module sends the held bytes when the microtasks of
 * the turn have run.
 *
 * Nothing reports that they have, without loading Node's `process.nextTick`, which costs 22 ms. So one
 * function for all connections is a microtask itself, again and again, until nobody has written for a while.
 *
 * @module
 */

import type { Tied } from "./raw_streams.ts";

/**
 * After how many microtasks without a write the handlers are taken to wait for something else. More than it
 * takes from one write to the next if a handler only parses and answers; counting them takes as long as
 * a system call, which is what they save.
 */
const CALM = 50;

/**
 * How long bytes are held at most, in milliseconds, if the handlers compute. Arbitrary: too short to be
 * noticed, and longer than 64 connections need for 16 lines each, which is about 1 ms.
 */
const HOLD_MS = 5;

/** The writers that hold bytes. */
const holding = new Set<Tied>();
let writes = 0;
let watching = false;

/** Sends what `writer` holds at the end of the turn. Call this at each write that is held. */
export function scheduleSend(writer: Tied): void {
  writes++;
  holding.add(writer);
  if (watching) return;
  watching = true;
  watch();
}

/** Forgets `writer`, which has sent what it held. */
export function cancelSend(writer: Tied): void {
  holding.delete(writer);
}

async function watch(): Promise<void> {
  const start = performance.now();
  for (let calm = 0, seen = 0; holding.size > 0 && calm < CALM; calm++) {
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
