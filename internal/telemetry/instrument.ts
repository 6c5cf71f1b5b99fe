/**
 * The bridge to the OpenTelemetry of Deno.
 *
 * @module
 */

import { openTelemetry } from "../runtime/system/open_telemetry.ts";
import type { AnyServer } from "../stages/event_types.ts";
import { OtelMetrics } from "./otel_metrics.ts";
import { OtelSpans } from "./otel_spans.ts";

/**
 * Options of {@linkcode instrument}.
 *
 * @category OpenTelemetry
 */
export interface InstrumentOptions {
  /**
   * The most spans that begin in one second; 0 for none. Further requests have no span, and are counted in the metric
   * `socketserver.spans.dropped`: Deno keeps 2,048 spans that wait for the export, and drops others without a word.
   *
   * @default {200}
   */
  spansPerSecond?: number;
}

/**
 * The telemetry of a server, as {@linkcode instrument} returns it.
 *
 * @category OpenTelemetry
 */
export interface Instrumentation extends Disposable {
  /** Whether anything is exported: whether the process runs with `OTEL_DENO=true`. */
  readonly enabled: boolean;
}

/**
 * Exports the spans and metrics of a server through the OpenTelemetry of Deno. Without `OTEL_DENO=true` nothing happens,
 * and nothing is printed. No package and no permission is needed.
 *
 * Each request is a span of the kind "server", from the accept to the close, with the name of the handler's class. It has
 * the attributes `server.address`, `server.port`, `client.address`, `client.port`, `network.peer.address`,
 * `network.peer.port`, `network.transport`, `network.type`, and at its end `socketserver.reason`,
 * `socketserver.bytes_in`, `socketserver.bytes_out` and, if it has failed, `error.type`. Spans that a handler starts,
 * such as those of `fetch`, are children of it, except in workers and child processes.
 *
 * The metrics are those of {@linkcode ServerMetrics}, with dots in their names and without their units:
 * `socketserver.request.duration`.
 *
 * @param server The server.
 * @param options The limit of spans.
 * @returns Ends the export when it is disposed of.
 * @throws {RangeError} if `spansPerSecond` is negative.
 * @category OpenTelemetry
 * @example
 * ```ts
 * import { AsyncTCPServer, serve, StreamRequestHandler } from "@socketserver/socketserver";
 * import { instrument } from "@socketserver/socketserver/telemetry";
 *
 * class Echo extends StreamRequestHandler {
 *   override async handle() {
 *     for await (const line of this.rfile) await this.wfile.write(line);
 *   }
 * }
 *
 * const server = new AsyncTCPServer(["127.0.0.1", 0], Echo);
 * using _telemetry = instrument(server);
 * await serve(server, { signal: AbortSignal.timeout(10) });
 * ```
 */
export function instrument(
  server: AnyServer,
  options: InstrumentOptions = {},
): Instrumentation {
  const { spansPerSecond = 200 } = options;
  checkRate(spansPerSecond);
  const telemetry = openTelemetry("socketserver");
  if (telemetry === undefined) {
    return { enabled: false, [Symbol.dispose]: () => {} };
  }
  const exported = new DisposableStack();
  const metrics = exported.use(new OtelMetrics(server, telemetry.meter));
  exported.use(
    new OtelSpans(
      server,
      telemetry.tracer,
      spansPerSecond,
      metrics.spanDropped,
    ),
  );
  return { enabled: true, [Symbol.dispose]: () => exported.dispose() };
}

function checkRate(spansPerSecond: number): void {
  if (spansPerSecond >= 0) return;
  throw new RangeError(
    `Cannot instrument: spansPerSecond must be 0 or more, got ${spansPerSecond}`,
  );
}
