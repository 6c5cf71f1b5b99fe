/**
 * The metrics of servers for Prometheus.
 *
 * @module
 */

import { formatAddress } from "../base/address.ts";
import type { AnyServer } from "../stages/event_types.ts";
import { DurationHistogram, EventCounts } from "./event_counts.ts";
import { DURATION, DURATION_BUCKETS, type Labels, METRICS } from "./metrics.ts";
import { familyText, histogramText } from "./prometheus_text.ts";
import { protocolOf } from "./attributes.ts";

/**
 * Options of {@linkcode ServerMetrics}.
 *
 * @category Metrics
 */
export interface ServerMetricsOptions {
  /**
   * The upper bounds in seconds of the buckets of the histogram of durations.
   *
   * @default {[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800]}
   */
  buckets?: readonly number[];
}

/** The counts of one server. */
interface Counted {
  readonly server: AnyServer;
  readonly counts: EventCounts;
  readonly histogram: DurationHistogram;
}

/**
 * The metrics of one server or several, in the text format of Prometheus. Most values come from `server.status`; the
 * durations, the errors of handlers, and the workers and children are counted from now on.
 *
 * | metric | type | labels |
 * | ------ | ---- | ------ |
 * | `socketserver_requests_active`, `socketserver_requests_idle` | gauge | |
 * | `socketserver_requests_accepted_total` | counter | |
 * | `socketserver_requests_ended_total` | counter | `reason` |
 * | `socketserver_io_bytes_total` | counter | `direction` |
 * | `socketserver_accept_errors_total` | counter | `kind` |
 * | `socketserver_limit_hits_total` | counter | `limit` |
 * | `socketserver_handler_errors_total` | counter | |
 * | `socketserver_request_duration_seconds` | histogram | `reason` |
 * | `socketserver_workers`, `socketserver_children` | gauge | |
 * | `socketserver_worker_exits_total`, `socketserver_child_exits_total` | counter | `reason` |
 *
 * Each also has the labels `server`, the address, and `transport`: `tcp`, `udp` or `unix`. No label comes from a client.
 *
 * @category Metrics
 * @example
 * ```ts
 * import { ok } from "node:assert/strict";
 * import { AsyncTCPServer, BaseRequestHandler } from "@socketserver/socketserver";
 * import { ServerMetrics } from "@socketserver/socketserver/telemetry";
 *
 * class Nothing extends BaseRequestHandler {}
 *
 * await using server = new AsyncTCPServer(["127.0.0.1", 0], Nothing);
 * using metrics = new ServerMetrics(server);
 * ok(metrics.prometheus().includes("# TYPE socketserver_requests_active gauge\n"));
 * ```
 */
export class ServerMetrics implements Disposable {
  /** The content type of {@linkcode ServerMetrics.prometheus}. */
  static readonly contentType: string =
    "text/plain; version=0.0.4; charset=utf-8";

  readonly #counted: readonly Counted[];

  /**
   * Begins to count.
   *
   * @param servers The servers.
   * @param options The buckets of the histogram.
   * @throws {RangeError} if the buckets are not ascending.
   */
  constructor(
    servers: AnyServer | readonly AnyServer[],
    options: ServerMetricsOptions = {},
  ) {
    const { buckets = DURATION_BUCKETS } = options;
    this.#counted = [servers].flat().map((server) => {
      const histogram = new DurationHistogram(buckets);
      const counts = new EventCounts(server, ({ duration, reason }) => {
        histogram.record(duration, reason);
      });
      return { server, counts, histogram };
    });
  }

  /** Returns the metrics as text, as `GET /metrics` answers. */
  prometheus(): string {
    const families = METRICS.map((metric) => {
      const samples = this.#counted.flatMap(({ server, counts }) =>
        metric.values(server, counts).map(([value, labels]) =>
          [value, { ...labelsOf(server), ...labels }] as const
        )
      );
      return familyText({ metric, samples });
    });
    const histograms = this.#counted.map(({ server, histogram }) => ({
      labels: labelsOf(server),
      histogram,
    }));
    return families.join("") + histogramText(DURATION, histograms);
  }

  /** Ends the counting. */
  [Symbol.dispose](): void {
    for (const { counts } of this.#counted) counts[Symbol.dispose]();
  }
}

function labelsOf(server: AnyServer): Labels {
  const { transport } = protocolOf(server);
  return { server: formatAddress(server.serverAddress), transport };
}
