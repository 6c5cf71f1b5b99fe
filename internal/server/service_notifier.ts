/**
 * Sends messages to the service manager: those of `sdNotify`, and for `serve` that the servers serve, that they stop, and
 * that the event loop runs.
 *
 * @module
 */

import { formatAddress } from "../base/address.ts";
import {
  mayReadNotifySocket,
  notifyPath,
  sendMessage,
  watchdogSeconds,
} from "../runtime/inherited/notify_socket.ts";
import { Start } from "../waiting/start.ts";
import { MAX_DELAY } from "../waiting/timeouts.ts";
import { say } from "../stages/report.ts";
import type { ServerStages } from "../stages/stages.ts";
import { inspect } from "../runtime/system/deno_api.ts";

/**
 * A message to the service manager: an assignment of sd_notify(3), such as `"READY=1"`.
 *
 * @category Servers
 */
export type ServiceNotification =
  | "READY=1"
  | "RELOADING=1"
  | "STOPPING=1"
  | "WATCHDOG=1"
  | "WATCHDOG=trigger"
  | `STATUS=${string}`
  | `ERRNO=${number}`
  | `MAINPID=${number}`
  | `EXTEND_TIMEOUT_USEC=${number}`
  | `MONOTONIC_USEC=${number}`
  | `${string}=${string}`;

/**
 * Tells the service manager about the state of the program, as sd_notify(3) does: systemd with `Type=notify`, or another
 * one that sets NOTIFY_SOCKET. {@linkcode serve} sends READY, STOPPING and WATCHDOG by itself.
 *
 * Needs `--unstable-net`, `--allow-env=NOTIFY_SOCKET`, and `--allow-write` and `--allow-net` for the socket, such as
 * `--allow-write=/run/systemd/notify --allow-net=unix:/run/systemd/notify`.
 *
 * @param assignments The assignments, which go into one message.
 * @returns Whether there is a service manager: false if NOTIFY_SOCKET is not set.
 * @throws {TypeError} if an assignment has not the form `NAME=value`, or has several lines.
 * @throws {OSError} if NOTIFY_SOCKET names a socket that is not there; EPROTONOSUPPORT without `--unstable-net`; and so
 *   on.
 * @throws {PermissionError} if a permission is missing.
 * @category Servers
 * @example
 * ```ts
 * import { sdNotify } from "@socketserver/socketserver";
 *
 * await sdNotify("STATUS=Loading the zones");
 * ```
 */
export async function sdNotify(
  ...assignments: ServiceNotification[]
): Promise<boolean> {
  for (const each of assignments) {
    if (/^[A-Z0-9_]+=.*$/.test(each)) continue;
    throw new TypeError(
      `Cannot notify the service manager: an assignment must be one line NAME=value, got ${
        inspect(each)
      }`,
    );
  }
  const path = notifyPath();
  if (path === undefined) return false;
  await sendMessage(path, assignments.join("\n"));
  return true;
}

/** The interval in ms of the messages of a drain. Arbitrary. */
const TICK_MS = 1000;

/**
 * The time in microseconds that each tick of a drain asks for, beyond the manager's own limit: several ticks, so that a
 * busy event loop misses none, and a stuck one is killed soon. Arbitrary.
 */
const EXTENSION_USEC = 10_000_000;

/** Tells the service manager about servers. The first failure is printed, and ends the messages. */
export class ServiceNotifier implements AsyncDisposable {
  readonly #servers: readonly ServerStages[];
  #sent: Promise<void> = Promise.resolve();
  #ended = false;
  #watchdog: ReturnType<typeof setInterval> | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;
  #stopping = false;

  private constructor(servers: readonly ServerStages[]) {
    this.#servers = servers;
  }

  /**
   * Returns a notifier; undefined without a service manager.
   *
   * @param servers The servers.
   * @param wanted Whether the program wants one: false is none. If true, a missing permission to look for the manager is
   *   printed.
   */
  static for(
    servers: readonly ServerStages[],
    wanted: boolean | undefined,
  ): ServiceNotifier | undefined {
    if (wanted === false) return undefined;
    try {
      if (!wanted && !mayReadNotifySocket()) return undefined;
      if (notifyPath() !== undefined) return new ServiceNotifier(servers);
    } catch (error) {
      sayFailed(error);
    }
  }

  /** Says that the servers are ready as soon as each is bound, unless they stop before, and starts the watchdog. */
  async ready(): Promise<void> {
    await Promise.all(
      this.#servers.map((server) => Start.of(server)?.nextChange()),
    );
    if (this.#stopping || this.#servers.some((one) => Start.of(one))) return; // a start that has failed
    const addresses = this.#servers.map((one) =>
      formatAddress(one.serverAddress).replace("\0", "@") || "a Unix socket"
    );
    this.#send("READY=1", `STATUS=Serving on ${addresses.join(", ")}`);
    try {
      const seconds = watchdogSeconds();
      if (seconds === undefined || this.#ended) return;
      const beat = () => this.#send("WATCHDOG=1");
      const ms = Math.min(seconds * 500, MAX_DELAY); // twice as often as needed
      this.#watchdog = setInterval(beat, ms);
    } catch (error) {
      sayFailed(error);
    }
  }

  /** Says that the servers stop. Says each second how many requests are left, and asks for time for them. */
  stopping(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#send("STOPPING=1", this.#left());
    this.#ticker = setInterval(() => {
      this.#send(this.#left(), `EXTEND_TIMEOUT_USEC=${EXTENSION_USEC}`);
    }, TICK_MS);
  }

  #left(): ServiceNotification {
    const left = this.#servers.reduce((sum, one) => sum + one.status.active, 0);
    return `STATUS=Stopping, ${left} request${left === 1 ? "" : "s"} left`;
  }

  #send(...assignments: ServiceNotification[]): void {
    if (this.#ended) return;
    this.#sent = this.#sent.then(async () => {
      if (!this.#ended) await sdNotify(...assignments);
    }).catch((error) => {
      this.#end();
      sayFailed(error);
    });
  }

  #end(): void {
    this.#ended = true;
    clearInterval(this.#watchdog);
    clearInterval(this.#ticker);
  }

  /** Ends the watchdog, and waits for the last message. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watchdog);
    clearInterval(this.#ticker);
    await this.#sent;
    this.#end();
  }
}

function sayFailed(error: unknown): void {
  const { message } = error as Error;
  say(`${message}; the servers go on`);
}
