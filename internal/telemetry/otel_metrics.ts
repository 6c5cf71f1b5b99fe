/**
 * The metrics of a server in OpenTelemetry.
 *
 * @module
 */

import type {
  Counter,
  Histogram,
  InstrumentDescription,
  Meter,
  Observable,
  ObservableResult,
} from "../runtime/system/open_telemetry.ts";
import type { AnyServer, RequestStopEvent } from "../stages/event_types.ts";
import { EventCounts } from "./event_counts.ts";
import { DURATION, DURATION_BUCKETS, type Metric, METRICS } from "./metrics.ts";
import { errorType, labelAttributes, serverAttributes } from "./attributes.ts";

/** A counter, and the values that it has reached, by their labels. */
interface CounterState {
  readonly counter: Counter;
  readonly values: Map<string, number>;
}

/**
 * Exports the metrics of a server. Before each export Deno asks for the gauges, and the counters get the increase since the
 * last time. They get the rest on disposal, because Deno does not ask again when the process ends.
 */
export class OtelMetrics implements Disposable {
  readonly #server: AnyServer;
  readonly #meter: Meter;
  readonly #counts: EventCounts;
  readonly #duration: Histogram;
  readonly #dropped: Counter;
  readonly #gauges = new Map<Metric, Observable>();
  readonly #counters = new Map<Metric, CounterState>();

  /**
   * @param server The server.
   * @param meter Makes the instruments.
   */
  constructor(server: AnyServer, meter: Meter) {
    this.#server = server;
    this.#meter = meter;
    this.#duration = meter.createHistogram(DURATION.name, {
      unit: DURATION.unit,
      description: DURATION.help,
      advice: { explicitBucketBoundaries: [...DURATION_BUCKETS] },
    });
    this.#dropped = meter.createCounter("socketserver.spans.dropped", {
      unit: "{span}",
      description: "Requests without a span, because of spansPerSecond.",
    });
    for (const metric of METRICS) this.#createInstrument(metric);
    this.#counts = new EventCounts(server, (event) => this.#record(event));
    meter.addBatchObservableCallback(this.#observe, [...this.#gauges.values()]);
  }

  #createInstrument(metric: Metric): void {
    const { name, kind, unit, help: description } = metric;
    const options: InstrumentDescription = { unit, description };
    if (kind === "gauge") {
      const gauge = this.#meter.createObservableGauge(name, options);
      this.#gauges.set(metric, gauge);
    } else {
      const counter = this.#meter.createCounter(name, options);
      this.#counters.set(metric, { counter, values: new Map() });
    }
  }

  #record({ duration, reason, error }: RequestStopEvent): void {
    const failed = error === undefined
      ? {}
      : { "error.type": errorType(error) };
    this.#duration.record(duration, {
      ...serverAttributes(this.#server),
      ...labelAttributes({ reason }),
      ...failed,
    });
  }

  /** Counts a request without a span. */
  readonly spanDropped = (): void => {
    this.#dropped.add(1, serverAttributes(this.#server));
  };

  readonly #observe = (result: ObservableResult): void => {
    const common = serverAttributes(this.#server);
    for (const [metric, gauge] of this.#gauges) {
      for (const [value, labels] of metric.values(this.#server, this.#counts)) {
        result.observe(gauge, value, { ...common, ...labelAttributes(labels) });
      }
    }
    this.#addToCounters();
  };

  #addToCounters(): void {
    const common = serverAttributes(this.#server);
    for (const [metric, { counter, values }] of this.#counters) {
      for (const [value, labels] of metric.values(this.#server, this.#counts)) {
        const key = JSON.stringify(labels);
        const added = value - (values.get(key) ?? 0);
        if (added <= 0) continue;
        values.set(key, value);
        counter.add(added, { ...common, ...labelAttributes(labels) });
      }
    }
  }

  /** Ends the export. */
  [Symbol.dispose](): void {
    this.#addToCounters();
    this.#counts[Symbol.dispose]();
    const gauges = [...this.#gauges.values()];
    this.#meter.removeBatchObservableCallback(this.#observe, gauges);
  }
}
