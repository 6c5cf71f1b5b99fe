/**
 * A line on stderr for each event of a server.
 *
 * @module
 */

import type { AnyServer, ServerEvents } from "../stages/event_types.ts";
import { isLostClient } from "../stages/report.ts";
import {
  addressField,
  errorText,
  escapeField,
  secondsText,
} from "./log_text.ts";
import { protocolOf } from "./attributes.ts";
import { type Listeners, listenTo } from "./subscribe.ts";

/**
 * The level of a {@linkcode consoleLogger}: the events that it writes.
 *
 * - `"error"`: errors of handlers, an end of the loop by an error, workers and children that crash.
 * - `"warn"`: also limits, clients turned away or cut off, failed handshakes, a lack of descriptors.
 * - `"info"`: also the start and the end of the server, of workers and of children.
 * - `"debug"`: also each request and each handshake, and clients that are lost.
 *
 * @category Logs
 */
export type LogLevel = "debug" | "info" | "warn" | "error";

/**
 * Options of {@linkcode consoleLogger}.
 *
 * @category Logs
 */
export interface ConsoleLoggerOptions {
  /**
   * The lowest level that is written.
   *
   * @default {"info"}
   */
  level?: LogLevel;
  /**
   * Takes a line, without its end.
   *
   * @default {console.error}
   */
  write?: (line: string) => void;
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** The levels of the failures of `getRequest`. */
const LEVEL_OF_VERDICT: Record<
  ServerEvents["socketserver.accept.error"]["verdict"],
  LogLevel
> = { transient: "debug", resource: "warn", invalid: "warn", fatal: "error" };

type Log = (level: LogLevel, text: string) => void;

/**
 * Writes one line for each event of a server: the time in UTC, the level and the event. Without a logger this package
 * prints errors only. Control characters in what a client sends are escaped.
 *
 * ```text
 * 2026-11-29T22:10:00.123Z INFO AsyncTCPServer on 127.0.0.1:9999 (TCP) listens
 * ```
 *
 * @param server The server. Make the logger before `serveForever`.
 * @param options The level, and where the lines go: by default to stderr.
 * @returns Ends the log when it is disposed of.
 * @throws {TypeError} if there is no such level.
 * @category Logs
 * @example
 * ```ts
 * import { AsyncTCPServer, serve, StreamRequestHandler } from "@socketserver/socketserver";
 * import { consoleLogger } from "@socketserver/socketserver/telemetry";
 *
 * class Echo extends StreamRequestHandler {
 *   override async handle() {
 *     for await (const line of this.rfile) await this.wfile.write(line);
 *   }
 * }
 *
 * const server = new AsyncTCPServer(["127.0.0.1", 0], Echo);
 * using _log = consoleLogger(server, { level: "debug" });
 * await serve(server, { signal: AbortSignal.timeout(10) });
 * ```
 */
export function consoleLogger(
  server: AnyServer,
  options: ConsoleLoggerOptions = {},
): Disposable {
  const { level = "info", write = (line) => console.error(line) } = options;
  const least = LEVELS.indexOf(level);
  if (least < 0) {
    throw new TypeError(
      `Cannot log: level must be one of ${LEVELS.join(", ")}, got ${level}`,
    );
  }
  const log: Log = (level, text) => {
    if (LEVELS.indexOf(level) < least) return;
    const time = new Date().toISOString();
    write(`${time} ${level.toUpperCase()} ${text}`);
  };
  return listenTo(server, {
    ...listenerLines(log),
    ...requestLines(log),
    ...poolLines(log),
  });
}

function listenerLines(log: Log): Listeners {
  return {
    "socketserver.listener.start": ({ server, address }) => {
      log("info", `${nameOf(server, address)} listens`);
    },
    "socketserver.listener.stop": ({ server, address, report }) => {
      const counts = Object.entries(report).map(([name, count]) =>
        `${count} ${name}`
      );
      log("info", `${nameOf(server, address)} closed: ${counts.join(", ")}`);
    },
    "socketserver.accept.error": ({ error, verdict }) => {
      log(
        LEVEL_OF_VERDICT[verdict],
        `accept failed (${verdict}): ${errorText(error)}`,
      );
    },
    "socketserver.limit": ({ limit, clientAddress }) => {
      const client = clientAddress === null
        ? ""
        : ` by ${addressField(clientAddress)}`;
      log("warn", `limit ${limit} reached${client}`);
    },
  };
}

function requestLines(log: Log): Listeners {
  return {
    "socketserver.request.start": ({ id, clientAddress }) => {
      log("debug", `request ${id} from ${addressField(clientAddress)} started`);
    },
    "socketserver.request.stop": (event) => {
      log(levelOfEnd(event), endText(event));
    },
    "socketserver.handshake": ({ clientAddress, duration, error }) => {
      const done = error === undefined ? "" : ` failed: ${errorText(error)}`;
      log(
        error === undefined ? "debug" : "warn",
        `handshake of ${addressField(clientAddress)} (${
          secondsText(duration)
        } s)${done}`,
      );
    },
    "socketserver.handler.error": ({ clientAddress, error }) => {
      const level = isLostClient(error, clientAddress) ? "debug" : "error";
      const client = addressField(clientAddress);
      log(level, `handler failed for ${client}: ${errorText(error)}`);
    },
  };
}

function levelOfEnd(
  { reason }: ServerEvents["socketserver.request.stop"],
): LogLevel {
  return /rejected|forced|proxy/.test(reason) ? "warn" : "debug";
}

function endText(event: ServerEvents["socketserver.request.stop"]): string {
  const { id, clientAddress, reason, rejected, error, duration } = event;
  const detail = rejected ?? (error === undefined ? "" : errorText(error));
  const why = detail === "" ? reason : `${reason} (${detail})`;
  const bytes = `${event.bytesIn} bytes in, ${event.bytesOut ?? "-"} out`;
  return `request ${id} from ${addressField(clientAddress)} ${why}: ${
    secondsText(duration)
  } s, ${bytes}`;
}

function poolLines(log: Log): Listeners {
  return {
    "socketserver.worker.start": ({ worker }) => {
      log("info", `worker ${worker} started`);
    },
    "socketserver.worker.exit": ({ worker, reason, requests, error }) => {
      const failed = error === undefined ? "" : `: ${errorText(error)}`;
      log(
        reason === "closed" ? "info" : "error",
        `worker ${worker} ended (${reason}), ${requests} requests failed${failed}`,
      );
    },
    "socketserver.child.start": ({ pid }) =>
      log("info", `child ${pid} started`),
    "socketserver.child.exit": ({ pid, reason, requests, ...end }) => {
      const how = end.signal ?? `exit code ${end.code}`;
      log(
        reason === "closed" || reason === "retired" ? "info" : "error",
        `child ${pid} ended (${reason}, ${how}), ${requests} requests failed`,
      );
    },
  };
}

function nameOf(
  server: AnyServer,
  address: AnyServer["serverAddress"],
): string {
  const name = escapeField(server.constructor.name);
  return `${name} on ${addressField(address)} (${protocolOf(server).name})`;
}
