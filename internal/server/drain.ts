/**
 * Drains a server: waits for its open requests, reports a long wait, and cuts off the requests that are left.
 *
 * @module
 */

import { isInside } from "./inside_server.ts";
import { cutOff } from "../socket/server_calls.ts";
import { anyReady } from "../waiting/when_ready.ts";
import {
  EMPTY_REPORT,
  type ServerCloseReport,
} from "../stages/server_options.ts";
import { callHook, say } from "../stages/report.ts";
import type { ActiveRequest, RequestEnd } from "../requests/active_requests.ts";
import { type Requests, requestsOf } from "../requests/request_registry.ts";
import { atMost } from "../requests/request_waits.ts";

/** The time in ms before a drain is reported: most handlers end sooner, and a person at a terminal gets impatient. */
const REPORT_AFTER_MS = 1000;

/** The number of clients that the report names. Arbitrary. */
const CLIENTS_NAMED = 5;

/** The part of a server that reports a slow drain. */
interface DrainingServer {
  handleSlowClose(
    clients: string[],
    seconds: number | null,
  ): void | Promise<void>;
}

/**
 * Waits for the open requests, and cuts off those that are left after the timeout.
 *
 * @param server The server.
 * @param requests Its requests.
 * @param timeout Seconds; null is no limit.
 */
export async function drain(
  server: DrainingServer,
  requests: Requests,
  timeout: number | null,
): Promise<ServerCloseReport> {
  const counted = new Set(requests);
  await waitForEnd(server, requests, timeout);
  for (const active of requests.giveUp()) {
    counted.add(active);
    cutOff(active.request);
    active.observed?.stop(active.request, "forced");
  }
  const elsewhere = await requests.acceptingWorkers?.giveUp() ?? EMPTY_REPORT;
  return sumOfReports([reportOf(counted), elsewhere]);
}

/** Waits until no request is open, or for `timeout` seconds, and tells the server if that takes long. */
async function waitForEnd(
  server: DrainingServer,
  requests: Requests,
  timeout: number | null,
): Promise<void> {
  const due = performance.now() + (timeout ?? Infinity) * 1000;
  const slow = setTimeout(() => {
    const left = timeout === null ? null : (due - performance.now()) / 1000;
    callHook("", () => server.handleSlowClose(clientsOf(requests), left));
  }, REPORT_AFTER_MS);
  await anyReady([atMost(requests, 0)], timeout);
  clearTimeout(slow);
}

/** Counts requests by how they have ended. Those that were turned away count as none. */
function reportOf(requests: Set<ActiveRequest>): ServerCloseReport {
  const ended = (how: RequestEnd) =>
    requests.values().filter(({ end }) => end === how).toArray().length;
  const [idle, forced] = [ended("idle"), ended("forced")];
  const finished = requests.size - idle - forced - ended("rejected");
  return { idle, finished, forced };
}

/** Adds up the reports of several servers, or of the parts of one. */
export function sumOfReports(reports: ServerCloseReport[]): ServerCloseReport {
  const total = { ...EMPTY_REPORT };
  for (const { idle, finished, forced } of reports) {
    total.idle += idle;
    total.finished += finished;
    total.forced += forced;
  }
  return total;
}

/** Returns the clients of the open requests, wherever they are. */
function clientsOf(requests: Requests): string[] {
  const own = Array.from(requests, ({ client }) => client ?? "");
  return [...own, ...requests.acceptingWorkers?.clients ?? []];
}

/** Prints the clients that a drain waits for. */
export function saySlowClose(
  address: string,
  clients: string[],
  seconds: number | null,
): void {
  const count = clients.length === 1
    ? "1 request has"
    : `${clients.length} requests have`;
  const names = [...new Set(clients.filter((client) => client !== ""))];
  const more = names.length > CLIENTS_NAMED ? " and others" : "";
  const from = names.length === 0
    ? ""
    : ` (from ${names.slice(0, CLIENTS_NAMED).join(", ")}${more})`;
  const then = seconds === null
    ? "there is no time limit"
    : `they are cut off in ${Math.ceil(seconds)} s`;
  say(
    `Closing the server on ${address}: ${count} not ended yet${from}; ${then}. A handler should stop when this.signal aborts.`,
  );
}

/**
 * Does the rest of a close when the requests have ended. If a request closes the server, that is later, in the
 * background.
 */
export async function afterDrain(
  server: object,
  closeRest: () => void | Promise<void>,
): Promise<void> {
  const { drained } = requestsOf(server);
  if (drained !== undefined && isInside(server)) drained.then(closeRest);
  else await closeRest();
}
