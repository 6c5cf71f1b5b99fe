/**
 * The settings of a server's limits: checks of their values, and their change while the server runs.
 *
 * @module
 */

import { SOCK_STREAM } from "../base/constants.ts";
import { warnOfMilliseconds } from "../base/warnings.ts";
import { inspect } from "../runtime/system/deno_api.ts";
import { AcceptRate } from "./accept_rate.ts";
import { IdleSweep, RequestDeadlines, RequestTimes } from "./request_timer.ts";
import { noteLimit } from "./note_limit.ts";
import type { ActiveRequest } from "./active_requests.ts";
import { requestsOf } from "./request_registry.ts";
import type { ServerStages } from "../stages/stages.ts";
import { expire } from "./time_limits.ts";

/** A server of connections or of datagrams. */
type TypedServer = ServerStages & { readonly socketType: number };

/** Returns the connections per second that a server accepts at most. */
export function acceptRateOf(server: object): number {
  return requestsOf(server).limits.rate?.rate ?? Infinity;
}

/**
 * Sets the connections per second that a server accepts at most.
 *
 * @param server The server.
 * @param rate The rate; Infinity is no limit.
 * @throws {RangeError} if the rate is not positive.
 * @throws {TypeError} if the rate is not a number, or the server is for datagrams.
 */
export function setAcceptRate(
  server: TypedServer,
  rate: number,
): void {
  if (typeof rate !== "number" || !(rate > 0)) {
    throw limitError("maxAcceptRate", "a positive number, or Infinity", rate);
  }
  const { limits } = requestsOf(server);
  if (limits.rate === undefined && rate === Infinity) return;
  checkStreams(server, "maxAcceptRate");
  limits.rate ??= new AcceptRate(() =>
    noteLimit(server, "maxAcceptRate", null)
  );
  limits.rate.rate = rate;
}

function checkStreams({ socketType }: TypedServer, name: string): void {
  if (socketType === SOCK_STREAM) return;
  throw new TypeError(
    `Cannot set ${name}: it is for servers of streams, and this one is for datagrams`,
  );
}

/** Returns the error for a value that a limit cannot have. */
function limitError(name: string, wanted: string, got: unknown): Error {
  const Class = typeof got === "number" ? RangeError : TypeError;
  return new Class(
    `Cannot set ${name}: it must be ${wanted}, got ${inspect(got)}`,
  );
}

/** Throws unless the value of a time limit is positive seconds, or null. */
function checkSeconds(name: string, seconds: unknown): void {
  if (seconds === null) return;
  if (typeof seconds !== "number" || !(seconds > 0 && seconds < Infinity)) {
    throw limitError(name, "positive seconds or null", seconds);
  }
  warnOfMilliseconds(seconds);
}

/** Returns the seconds that a request of a server may take. */
export function requestTimeoutOf(server: object): number | null {
  return requestsOf(server).times?.deadlines?.seconds ?? null;
}

/**
 * Sets the seconds that a request may take.
 *
 * @param server The server.
 * @param seconds The seconds; null is no limit.
 * @throws {RangeError} if the seconds are not positive.
 * @throws {TypeError} if they are neither a number nor null.
 */
export function setRequestTimeout(
  server: ServerStages,
  seconds: number | null,
): void {
  checkSeconds("requestTimeout", seconds);
  const requests = requestsOf(server);
  if (requests.times?.deadlines === undefined && seconds === null) return;
  const times = requests.times ??= new RequestTimes(requests);
  times.deadlines ??= new RequestDeadlines<ActiveRequest>((over, seconds) =>
    void expire(server, over, "requestTimeout", seconds)
  );
  times.deadlines.setLimit(seconds, times.timed);
  requests.acceptingWorkers?.limitTime({ requestTimeout: seconds });
}

/** Returns the seconds that a connection of a server may be idle. */
export function idleTimeoutOf(server: object): number | null {
  return requestsOf(server).times?.idleSweep?.seconds ?? null;
}

/**
 * Sets the seconds that a connection may be idle.
 *
 * @param server The server.
 * @param seconds The seconds; null is no limit.
 * @throws {RangeError} if the seconds are not positive.
 * @throws {TypeError} if they are neither a number nor null, or the server is for datagrams.
 */
export function setIdleTimeout(
  server: TypedServer,
  seconds: number | null,
): void {
  checkSeconds("idleTimeout", seconds);
  const requests = requestsOf(server);
  if (requests.times?.idleSweep === undefined && seconds === null) return;
  checkStreams(server, "idleTimeout");
  const times = requests.times ??= new RequestTimes(requests);
  times.idleSweep ??= new IdleSweep((over, seconds) =>
    void expire(server, over, "idleTimeout", seconds)
  );
  times.idleSweep.setLimit(seconds, times.timed);
  requests.pool?.limitIdle(seconds);
  requests.acceptingWorkers?.limitTime({ idleTimeout: seconds });
}
