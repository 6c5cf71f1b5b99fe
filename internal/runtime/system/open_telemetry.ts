/**
 * The OpenTelemetry of Deno.
 *
 * @module
 */

/** The value of an attribute. */
export type Attributes = Readonly<
  Record<string, string | number | boolean | undefined>
>;

/** A span, as far as this package uses it. */
export interface Span {
  setAttributes(attributes: Attributes): void;
  setStatus(status: { code: number; message?: string }): void;
  recordException(error: unknown): void;
  end(): void;
}

/** A counter or a gauge that goes up and down. */
export interface Counter {
  add(value: number, attributes?: Attributes): void;
}

/** A histogram. */
export interface Histogram {
  record(value: number, attributes?: Attributes): void;
}

/** An instrument that a callback observes. */
export interface Observable {
  readonly kind?: "observable";
}

/** The description of an instrument. */
export interface InstrumentDescription {
  readonly unit: string;
  readonly description: string;
  readonly advice?: { explicitBucketBoundaries: number[] };
}

/** Makes instruments. */
export interface Meter {
  createCounter(name: string, options: InstrumentDescription): Counter;
  createUpDownCounter(name: string, options: InstrumentDescription): Counter;
  createHistogram(name: string, options: InstrumentDescription): Histogram;
  createObservableGauge(
    name: string,
    options: InstrumentDescription,
  ): Observable;
  addBatchObservableCallback(
    callback: (result: ObservableResult) => void,
    observables: Observable[],
  ): void;
  removeBatchObservableCallback(
    callback: (result: ObservableResult) => void,
    observables: Observable[],
  ): void;
}

/** Takes the values of observables. */
export interface ObservableResult {
  observe(observable: Observable, value: number, attributes?: Attributes): void;
}

/** Makes spans. */
export interface Tracer {
  startSpan(
    name: string,
    options: { root: boolean; kind: number; attributes: Attributes },
  ): Span;
}

interface Context {
  setValue(key: symbol, value: unknown): Context;
}

/** The kind of a span of a server. */
export const SPAN_KIND_SERVER = 1;
/** The status of a span that has failed. */
export const SPAN_STATUS_ERROR = 2;

/** The key under which a context has its span, as in `@opentelemetry/api`. */
const SPAN_KEY = Symbol.for("OpenTelemetry Context Key SPAN");

/**
 * Returns the tracer and the meter of a name; undefined if the process has no OpenTelemetry, because it runs without
 * `OTEL_DENO=true`.
 */
export function openTelemetry(
  name: string,
): { tracer: Tracer; meter: Meter } | undefined {
  try {
    const meter = Deno.telemetry.meterProvider.getMeter(name); // throws if it is off
    return { meter, tracer: Deno.telemetry.tracerProvider.getTracer(name) };
  } catch {
    return undefined;
  }
}

/** Runs a function with a span as the current one: spans that it starts are children of this one. */
export function withSpan<T>(span: Span, run: () => T): T {
  const manager = Deno.telemetry.contextManager;
  const active: Context = manager.active();
  return manager.with(active.setValue(SPAN_KEY, span), run);
}
