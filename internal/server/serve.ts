/**
 * Runs servers until the program should end.
 *
 * @module
 */

import { awaitHint } from "../base/message_hints.ts";
import { checkTimeout } from "../base/arguments.ts";
import { inspect } from "../runtime/system/deno_api.ts";
import { MAX_DELAY } from "../waiting/timeouts.ts";
import { requestsOf } from "../requests/request_registry.ts";
import type {
  ServeForeverOptions,
  ServerCloseOptions,
  ServerCloseReport,
} from "../stages/server_options.ts";
import { sumOfReports } from "./drain.ts";
import { ServiceNotifier } from "./service_notifier.ts";
import type { AnyServer } from "../stages/event_types.ts";
import type { ServerStages } from "../stages/stages.ts";

/**
 * Options of {@linkcode serve}.
 *
 * @category Options
 */
export interface ServeOptions extends ServeForeverOptions, ServerCloseOptions {
  /**
   * Seconds to wait for the open requests; null is no limit.
   *
   * @default {server.closeTimeout}
   */
  timeout?: number | null;
  /**
   * Seconds to go on accepting after a signal, before the servers stop: the time in which load balancers learn of the
   * stop and send no further connections. Meanwhile `status.state` is `"stopping"`, which a health check should report.
   * A server that stops at once resets the connections that still wait in its backlog.
   *
   * @default {0}
   */
  shutdownDelay?: number;
  /**
   * The signals of the system that stop the servers. After the first signal they have their usual effect again: a
   * second Ctrl-C ends the program at once.
   *
   * @default {["SIGINT", "SIGTERM"]}
   */
  signals?: readonly Deno.Signal[];
  /**
   * Whether to tell the service manager, such as systemd with `Type=notify`, when the servers serve and when they stop:
   * READY, STOPPING, WATCHDOG and, in a long drain, EXTEND_TIMEOUT_USEC, as with {@linkcode sdNotify}. By default
   * `serve` does so if NOTIFY_SOCKET is set and the program may read it. With `true`, `serve` prints a line if the
   * program may not read it. If the manager cannot be reached, `serve` prints one line, and the servers go on.
   */
  notify?: boolean;
}

/** The signals of Ctrl-C and of a service manager. Windows has no SIGTERM. */
const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

/**
 * Runs one server, or several at a time, until a signal of the system, until `signal` is aborted, or until one of the
 * servers ends. Then, after `shutdownDelay` seconds, all servers stop accepting, wait for their open requests, cut off
 * those that are left after `timeout` seconds, and close. By default the timeout is the `closeTimeout` of each server,
 * 10 seconds.
 *
 * @param servers The servers. They are closed at the end.
 * @param options The signals, and the time to wait for open requests.
 * @returns The numbers of open requests that were idle, that finished and that were cut off, for all servers together.
 * @throws {TypeError} if an argument is not a server, `timeout` is neither a number nor null, or `shutdownDelay` is not a
 *   number.
 * @throws {RangeError} if `timeout` or `shutdownDelay` is negative or infinite.
 * @throws The error of the first loop that failed, or else of closing a server.
 * @category Servers
 * @example TCP and UDP on the same port
 * ```ts
 * import { AsyncTCPServer, AsyncUDPServer, DualRequestHandler, serve } from "@socketserver/socketserver";
 *
 * class Daytime extends DualRequestHandler {
 *   override async handle() {
 *     await this.wfile.write(`${new Date().toUTCString()}\r\n`);
 *   }
 * }
 *
 * const tcp = new AsyncTCPServer(["127.0.0.1", 0], Daytime);
 * const udp = new AsyncUDPServer(tcp.serverAddress, Daytime);
 * await serve([tcp, udp], { timeout: 5, signal: AbortSignal.timeout(10) });
 * ```
 */
export async function serve(
  // deno-lint-ignore no-explicit-any
  servers: ServerStages<any> | readonly ServerStages<any>[],
  options: ServeOptions = {},
): Promise<ServerCloseReport> {
  const { signal, signals = SIGNALS, shutdownDelay = 0 } = options;
  const all = [servers].flat();
  all.forEach(checkServer);
  checkTimes(shutdownDelay, options.timeout);
  const stop = new AbortController();
  await using service = ServiceNotifier.for(all, options.notify);
  const onStop = () => {
    service?.stopping();
    stopLater(all, stop, shutdownDelay);
  };
  if (signal?.aborted) stop.abort();
  signal?.addEventListener("abort", onStop, { signal: stop.signal });
  using _signals = onSignals(signals, onStop);
  const loops = runLoops(all, stop, options.pollInterval);
  service?.ready();
  await whenAborted(stop.signal);
  service?.stopping();
  const closed = await closeAll(all, options.timeout);
  valuesOf(await loops);
  return sumOfReports(valuesOf(closed));
}

/** Runs the loops of servers. The first that ends stops the others. */
function runLoops(
  servers: readonly AnyServer[],
  stop: AbortController,
  pollInterval: number | undefined,
): Promise<PromiseSettledResult<void>[]> {
  const { signal } = stop;
  return Promise.allSettled(
    servers.map((server) =>
      server.serveForever({ signal, pollInterval }).finally(() => stop.abort())
    ),
  );
}

/** Closes servers; without `timeout`, each within its own `closeTimeout`. */
function closeAll(
  servers: readonly AnyServer[],
  timeout: number | null | undefined,
): Promise<PromiseSettledResult<ServerCloseReport>[]> {
  return Promise.allSettled(
    servers.map((server) =>
      server.serverClose({
        timeout: timeout === undefined ? server.closeTimeout : timeout,
      })
    ),
  );
}

/** Throws unless a value is a server. */
function checkServer(value: unknown): void {
  if (typeof Object(value).serveForever === "function") return;
  const hint = typeof value === "function"
    ? `; write serve(new ${value.name}(address, Handler))`
    : awaitHint(value);
  throw new TypeError(
    `Cannot serve: pass a server, got ${
      inspect(value, { depth: 0, breakLength: Infinity })
    }${hint}`,
  );
}

/** Throws unless the times are numbers of seconds. `timeout` may be null, and undefined leaves it to each server. */
function checkTimes(
  shutdownDelay: number | null,
  timeout: number | null | undefined,
): void {
  if (timeout !== undefined) checkTimeout(timeout);
  checkTimeout(shutdownDelay);
  if (shutdownDelay !== null) return;
  throw new TypeError(
    "Cannot serve: shutdownDelay must be a number of seconds, got null; write 0 for none",
  );
}

/** Marks the servers as stopping, and stops them after a delay, or when one of them ends. */
function stopLater(
  servers: readonly object[],
  stop: AbortController,
  seconds: number,
): void {
  if (stop.signal.aborted) return;
  for (const server of servers) requestsOf(server).stopping = true;
  if (seconds === 0) return stop.abort();
  const ms = Math.min(seconds * 1000, MAX_DELAY);
  const timer = setTimeout(() => stop.abort(), ms);
  stop.signal.addEventListener("abort", () => clearTimeout(timer));
}

/** Calls `end` at the first of the signals. Listens until then, or until it is disposed of. */
function onSignals(
  signals: readonly Deno.Signal[],
  end: () => void,
): Disposable {
  const forget = () => {
    for (const name of signals) Deno.removeSignalListener(name, onSignal);
  };
  const onSignal = () => {
    forget();
    end();
  };
  for (const name of signals) Deno.addSignalListener(name, onSignal);
  return { [Symbol.dispose]: forget };
}

async function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((end) => signal.addEventListener("abort", end));
}

/** Returns the values of promises, or throws the first error. */
function valuesOf<T>(results: PromiseSettledResult<T>[]): T[] {
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}
