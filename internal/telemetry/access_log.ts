/**
 * A line for each request.
 *
 * @module
 */

import type { AnyServer, RequestStopEvent } from "../stages/event_types.ts";
import { addressField, logTime, secondsText } from "./log_text.ts";
import { protocolOf } from "./attributes.ts";
import { listenTo } from "./subscribe.ts";

/**
 * Options of {@linkcode accessLog}.
 *
 * @category Logs
 */
export interface AccessLogOptions {
  /**
   * Takes a line, without its end.
   *
   * @default {console.log}
   */
  write?: (line: string) => void;
}

/**
 * Writes a line for each request that ends, in the manner of the Common Log Format: client, `- -`, time of the start in
 * UTC, protocol and address of the server, reason of the end, bytes received, bytes sent, and seconds.
 *
 * ```text
 * 127.0.0.1:50312 - - [29/Nov/2026:22:10:00 +0000] "TCP 127.0.0.1:9999" finished 6 6 0.001204
 * ```
 *
 * A client without an address is `-`, and so are the bytes sent of a datagram. Control characters and spaces in the path
 * of a client are escaped: a client can write no line of its own.
 *
 * @param server The server.
 * @param options Where the lines go: by default to stdout.
 * @returns Ends the log when it is disposed of.
 * @category Logs
 * @example
 * ```ts
 * import { AsyncTCPServer, serve, StreamRequestHandler } from "@socketserver/socketserver";
 * import { accessLog } from "@socketserver/socketserver/telemetry";
 *
 * class Echo extends StreamRequestHandler {
 *   override async handle() {
 *     for await (const line of this.rfile) await this.wfile.write(line);
 *   }
 * }
 *
 * const server = new AsyncTCPServer(["127.0.0.1", 0], Echo);
 * using _log = accessLog(server);
 * await serve(server, { signal: AbortSignal.timeout(10) });
 * ```
 */
export function accessLog(
  server: AnyServer,
  options: AccessLogOptions = {},
): Disposable {
  const { write = (line) => console.log(line) } = options;
  return listenTo(server, {
    "socketserver.request.stop": (event) => write(accessLine(event)),
  });
}

/** Returns the line of a request. */
function accessLine(event: RequestStopEvent): string {
  const { server, clientAddress, duration, reason, bytesIn } = event;
  const start = new Date(Date.now() - duration * 1000);
  const { name } = protocolOf(server);
  const address = addressField(server.serverAddress);
  return [
    `${addressField(clientAddress)} - - [${logTime(start)}]`,
    `"${name} ${address}"`,
    `${reason} ${bytesIn} ${event.bytesOut ?? "-"} ${secondsText(duration)}`,
  ].join(" ");
}
