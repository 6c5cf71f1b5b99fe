/**
 * The search for idle connections, `idleTimeout`.
 *
 * @module
 */

import { Socket, stateOf } from "../socket/socket_object.ts";
import type { ActiveRequest } from "./active_request.ts";
import { RequestTimer } from "./request_timer.ts";

/** The sweeps in the time of the limit: a connection ends at most an eighth of the time late. Arbitrary. */
const SWEEPS = 8;

/** The longest time in ms between two sweeps. A sweep over 10,000 connections takes about a millisecond. Arbitrary. */
const PERIOD_MAX = 5000;

/** What a sweep has seen of a connection. */
interface Seen {
  /** The number of bytes that had come and gone. */
  bytes: number;
  /** The time of the first sweep that saw as many. */
  since: number;
}

/**
 * Finds connections on which no byte has come or gone for a time. One timer compares the byte counters of all
 * connections now and then, so that a read or a write costs nothing, and a connection needs no timer of its own.
 */
export class IdleSweep extends RequestTimer<ActiveRequest, Seen> {
  protected override first({ request }: ActiveRequest): Seen | undefined {
    return request instanceof Socket ? { bytes: -1, since: 0 } : undefined;
  }

  protected override delay(seconds: number): number {
    return Math.min(seconds * 1000 / SWEEPS, PERIOD_MAX);
  }

  protected override look(seconds: number): ActiveRequest[] {
    const now = performance.now();
    const over: ActiveRequest[] = [];
    for (const [active, seen] of this.watched) {
      const state = stateOf(active.request as Socket);
      if (state.closed) continue; // a child may have it
      const { bytesIn, bytesOut } = state.byteCounts;
      const bytes = bytesIn + bytesOut;
      if (seen.bytes !== bytes) {
        seen.bytes = bytes;
        seen.since = now;
      } else if (now - seen.since >= seconds * 1000) over.push(active);
    }
    return over;
  }
}
