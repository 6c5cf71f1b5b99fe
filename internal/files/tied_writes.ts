/**
 * Small writes that wait for those which follow in the same turn of the event loop.
 *
 * A client that sends many requests in one packet gets as many answers, each a write of its own. A system
 * call costs several times what it takes to make a short answer: sixteen lines, echoed by sixteen
 * writes, came to a fifth of the rate that one write for all of them reaches. So an unbuffered `wfile` holds
 * a small write while the next request is there already, and this is where it is seen to that it does not
 * hold it for longer than the turn: who holds is sent when its microtasks have run.
 *
 * Nothing tells when they have, without loading Node's `process.nextTick`, which costs 22 ms. So one
 * function for all connections is a microtask itself, again and again, until nobody has written for a while.
 *
 * @module
 */

import type { Tied } from "./raw_streams.ts";

/**
 * After how many microtasks without a write the handlers are taken to wait for something else. More than it
 * takes from one write to the next where a handler only parses and answers; counting them takes as long as
 * a system call, which is what they save.
 */
const CALM = 50;

/**
 * How long bytes are held at most, in milliseconds, where the handlers compute. Arbitrary: too short to be
 * noticed, and longer than 64 connections need for 16 lines each, which is about 1 ms.
 */
const HOLD_MS = 5;

const holders = new Set<Tied>();
let writes = 0;
let watching = false;

/** Sees to it that `holder` is sent at the end of the turn. To be called at each write that is held. */
export function hold(holder: Tied): void {
  writes++;
  holders.add(holder);
  if (watching) return;
  watching = true;
  watch();
}

/** To be called when `holder` has sent. */
export function letGo(holder: Tied): void {
  holders.delete(holder);
}

async function watch(): Promise<void> {
  const start = performance.now();
  for (let calm = 0, seen = 0; holders.size > 0 && calm < CALM; calm++) {
    if (writes !== seen) {
      if (performance.now() - start > HOLD_MS) break;
      seen = writes;
      calm = 0;
    }
    await undefined;
  }
  watching = false;
  for (const holder of holders) holder.sendHeld();
  holders.clear();
}
