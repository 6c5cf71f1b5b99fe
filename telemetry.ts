/**
 * Shows what a server does, in logs, metrics and traces. A server publishes events on channels of
 * `node:diagnostics_channel`: {@linkcode ServerEvents} has their names and payloads. An event costs nothing while nobody
 * listens.
 *
 * - {@linkcode consoleLogger} and {@linkcode accessLog} write lines.
 * - {@linkcode ServerMetrics} counts for Prometheus.
 * - {@linkcode instrument} exports spans and metrics through the OpenTelemetry of Deno.
 * - {@linkcode subscribe} calls your own functions.
 *
 * The server's own process and thread publish the events, also those of handlers in workers and child processes. An error
 * of a subscriber is printed once and does no harm, also if it has subscribed through `node:diagnostics_channel`.
 *
 * @example A log and an access log
 * ```ts
 * import { AsyncTCPServer, serve, StreamRequestHandler } from "@socketserver/socketserver";
 * import { accessLog, consoleLogger } from "@socketserver/socketserver/telemetry";
 *
 * class Echo extends StreamRequestHandler {
 *   override async handle() {
 *     for await (const line of this.rfile) await this.wfile.write(line);
 *   }
 * }
 *
 * const server = new AsyncTCPServer(["127.0.0.1", 0], Echo);
 * using _log = consoleLogger(server, { level: "info" });
 * using _accesses = accessLog(server);
 * await serve(server, { signal: AbortSignal.timeout(10) });
 * ```
 *
 * @module
 */

import "./internal/runtime/system/deno_version.ts"; // first, so that an older Deno meets nothing else

export type {
  AcceptErrorEvent,
  AnyServer,
  ChildExitEvent,
  ChildExitReason,
  ChildStartEvent,
  EventName,
  HandlerErrorEvent,
  HandshakeEvent,
  LimitEvent,
  ListenerStartEvent,
  ListenerStopEvent,
  RequestEndReason,
  RequestStartEvent,
  RequestStopEvent,
  ServerEvent,
  ServerEvents,
  WorkerExitEvent,
  WorkerExitReason,
  WorkerStartEvent,
} from "./internal/stages/event_types.ts";
export { subscribe } from "./internal/telemetry/subscribe.ts";
export { consoleLogger } from "./internal/telemetry/console_logger.ts";
export type {
  ConsoleLoggerOptions,
  LogLevel,
} from "./internal/telemetry/console_logger.ts";
export { accessLog } from "./internal/telemetry/access_log.ts";
export type { AccessLogOptions } from "./internal/telemetry/access_log.ts";
export { ServerMetrics } from "./internal/telemetry/server_metrics.ts";
export type { ServerMetricsOptions } from "./internal/telemetry/server_metrics.ts";
export { instrument } from "./internal/telemetry/instrument.ts";
export type {
  Instrumentation,
  InstrumentOptions,
} from "./internal/telemetry/instrument.ts";

// The types that the signatures here name, so that this module can be used by itself.
export type { Address, InetAddress } from "./internal/base/address.ts";
export type { OSError } from "./internal/base/errors.ts";
export type {
  ServeForeverOptions,
  ServerCloseOptions,
  ServerCloseReport,
} from "./internal/stages/server_options.ts";
export type { ServerStages } from "./internal/stages/stages.ts";
export type {
  HandlerServer,
  RequestHandler,
  RequestHandlerConstructor,
} from "./internal/stages/handler_types.ts";
export type {
  LimitName,
  RejectReason,
  ServerState,
  ServerStatus,
} from "./internal/stages/server_status.ts";
