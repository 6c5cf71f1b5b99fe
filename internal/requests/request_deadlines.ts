/**
 * The deadlines of requests, `requestTimeout`.
 *
 * @module
 */

import { RequestTimer } from "./request_timer.ts";

/**
 * Finds the requests that take too long, by the time at which each has begun. All have the same time, so the first of
 * them is the next one that is due.
 *
 * @typeParam T A request.
 */
export class RequestDeadlines<T> extends RequestTimer<T, number> {
  protected override first(): number {
    return performance.now();
  }

  protected override delay(seconds: number): number {
    const [begun] = this.watched.values();
    return begun + seconds * 1000 - performance.now();
  }

  protected override look(seconds: number): T[] {
    const latest = performance.now() - seconds * 1000;
    const over: T[] = [];
    for (const [request, begun] of this.watched) {
      if (begun > latest) break;
      over.push(request);
    }
    return over;
  }
}
