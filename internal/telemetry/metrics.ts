/**
 * The metrics of a server: their names, units and values, for Prometheus and for OpenTelemetry.
 *
 * @module
 */

import type { AnyServer } from "../stages/event_types.ts";
import type { Counts, EventCounts } from "./event_counts.ts";

/** The labels of a value. */
export type Labels = Readonly<Record<string, string>>;

/** A value and its labels. */
export type Sample = readonly [value: number, labels: Labels];

/** A metric. */
export interface Metric {
  /** The name, as OpenTelemetry writes names. */
  readonly name: string;
  /** Whether the value only grows, or goes up and down. */
  readonly kind: "counter" | "gauge";
  /** The unit, as OpenTelemetry writes units. */
  readonly unit: string;
  /** The description. */
  readonly help: string;
  /** Returns the values now. */
  values(server: AnyServer, counts: EventCounts): Sample[];
}

/** The upper bounds in seconds of the buckets for the duration of requests: from a datagram to a connection that stays. */
export const DURATION_BUCKETS: readonly number[] = [
  ...[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5],
  ...[1, 2.5, 5, 10, 30, 60, 300, 1800],
];

/** The histogram of the duration of requests. Each has a label `reason`. */
export const DURATION = {
  name: "socketserver.request.duration",
  unit: "s",
  help:
    "Seconds from the accept of a request to its end, by the reason of the end.",
} as const;

/** The metrics, besides the histogram. */
export const METRICS: readonly Metric[] = [
  {
    name: "socketserver.requests.active",
    kind: "gauge",
    unit: "{request}",
    help: "Open requests.",
    values: ({ status }) => [[status.active, {}]],
  },
  {
    name: "socketserver.requests.idle",
    kind: "gauge",
    unit: "{request}",
    help: "Open requests whose handlers wait for the next message.",
    values: ({ status }) => [[status.idle, {}]],
  },
  {
    name: "socketserver.requests.accepted",
    kind: "counter",
    unit: "{request}",
    help: "Requests got so far.",
    values: ({ status }) => [[status.accepted, {}]],
  },
  {
    name: "socketserver.requests.ended",
    kind: "counter",
    unit: "{request}",
    help: "Requests that have ended, by reason.",
    values: ({ status }) => [
      [status.finished, { reason: "finished" }],
      [status.failed, { reason: "failed" }],
      [status.rejected, { reason: "rejected" }],
      [status.handshakeErrors, { reason: "handshake" }],
      [status.proxyErrors, { reason: "proxy" }],
      [status.forced, { reason: "forced" }],
    ],
  },
  {
    name: "socketserver.io",
    kind: "counter",
    unit: "By",
    help: "Bytes received from clients and sent to them.",
    values: ({ status }) => [
      [status.bytesIn, { direction: "receive" }],
      [status.bytesOut, { direction: "transmit" }],
    ],
  },
  {
    name: "socketserver.accept.errors",
    kind: "counter",
    unit: "{error}",
    help: "Failures to get a request.",
    values: ({ status }) => [
      [status.transientErrors, { kind: "transient" }],
      [status.resourceErrors, { kind: "resource" }],
    ],
  },
  {
    name: "socketserver.limit.hits",
    kind: "counter",
    unit: "{hit}",
    help: "How often each limit was reached.",
    values: ({ status }) =>
      Object.entries(status.limits).map(([limit, hits]) => [hits, { limit }]),
  },
  {
    name: "socketserver.handler.errors",
    kind: "counter",
    unit: "{error}",
    help: "Errors of handlers.",
    values: (_, { handlerErrors }) => [[handlerErrors, {}]],
  },
  {
    name: "socketserver.workers",
    kind: "gauge",
    unit: "{worker}",
    help: "Workers that run.",
    values: (_, { workers }) => [[workers.size, {}]],
  },
  {
    name: "socketserver.worker.exits",
    kind: "counter",
    unit: "{worker}",
    help: "Workers that have ended, by reason.",
    values: (_, { workerExits }) => byReason(workerExits),
  },
  {
    name: "socketserver.children",
    kind: "gauge",
    unit: "{process}",
    help: "Child processes that run.",
    values: (_, { children }) => [[children.size, {}]],
  },
  {
    name: "socketserver.child.exits",
    kind: "counter",
    unit: "{process}",
    help: "Child processes that have ended, by reason.",
    values: (_, { childExits }) => byReason(childExits),
  },
];

function byReason(counts: Counts): Sample[] {
  return [...counts].map(([reason, count]) => [count, { reason }]);
}
