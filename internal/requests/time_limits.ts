/**
 * The end of requests whose time is up.
 *
 * @module
 */

import type { OSError } from "../base/errors.ts";
import { osError } from "../base/translate_error.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import { nextTurn } from "../waiting/turns.ts";
import { IDLE_CALL, isIdle } from "./idle_waits.ts";
import { noteLimit } from "./note_limit.ts";
import { noteExpired } from "./remote_requests.ts";
import type { ActiveRequest } from "./active_requests.ts";
import { requestsOf } from "./request_registry.ts";
import type { ServerStages } from "../stages/stages.ts";

/** The name of a limit for the time of a request. */
export type TimeLimitName = "requestTimeout" | "idleTimeout";

/** The call and the reason in the error of each limit. */
const ERRORS: Record<TimeLimitName, { syscall: string; reason: string }> = {
  requestTimeout: {
    syscall: "handle",
    reason: "the request took longer than",
  },
  idleTimeout: { syscall: IDLE_CALL, reason: "no byte came or went for" },
};

/** The most requests that end in one turn of the event loop, so that the others go on. Arbitrary. */
const BATCH = 64;

/**
 * Ends requests whose time is up: aborts their signals, and closes their connections. Calls on a connection throw the
 * same `TimeoutError` as the signal has for its reason.
 *
 * @param server The server.
 * @param over The requests.
 * @param limit The limit.
 * @param seconds The value of the limit.
 */
export async function expire(
  server: ServerStages,
  over: readonly ActiveRequest[],
  limit: TimeLimitName,
  seconds: number,
): Promise<void> {
  for (let start = 0; start < over.length; start += BATCH) {
    if (start > 0) await nextTurn();
    const batch = over.slice(start, start + BATCH)
      .filter(({ end }) => end === undefined);
    expireBatch(server, batch, limit, seconds);
  }
}

function expireBatch(
  server: ServerStages,
  batch: readonly ActiveRequest[],
  limit: TimeLimitName,
  seconds: number,
): void {
  const expired = new Map<unknown, OSError>();
  for (const { request } of batch) {
    const error = timeError(limit, seconds);
    expired.set(request, error);
    noteExpired(request, error);
  }
  requestsOf(server).pool?.expire(expired);
  for (const active of batch) {
    noteLimit(server, limit, active.clientAddress ?? null);
    endNow(active, expired.get(active.request)!);
  }
}

/**
 * Aborts the signal of a request with an error, and closes its connection with the same. Cuts the connection off if it
 * still sends: the client must not take a part for the whole.
 */
export function endNow(active: ActiveRequest, error: OSError): void {
  const { request } = active;
  (active.controller ??= new AbortController()).abort(error);
  if (!(request instanceof Socket)) return;
  const state = stateOf(request);
  state.fail(error, !isIdle(error) || state.stream?.writing === true);
}

/** Creates the error of a request that is over a limit. */
export function timeError(limit: TimeLimitName, seconds: number): OSError {
  const { syscall, reason } = ERRORS[limit];
  const whole = `${reason} ${limit}, ${seconds} s`;
  return osError("ETIMEDOUT", { syscall, reason: whole });
}
