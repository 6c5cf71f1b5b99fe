/**
 * Notices servers that never serve, because a program forgot `serveForever`, or to await it.
 *
 * @module
 */

import { formatAddress } from "../base/address.ts";
import { StartTime } from "../waiting/timeouts.ts";
import { say } from "../stages/report.ts";
import type { ServerStages } from "../stages/stages.ts";

// deno-lint-ignore no-explicit-any
type Server = Pick<ServerStages<any>, "serverAddress" | "fileno">;

/** The bound servers that have not served yet. */
const unserved = new Set<Server>();
/** The moment at which a server began to serve. */
const servedAt = new WeakMap<object, StartTime>();
let listening = false;

/** Notes that a server is bound, and should serve. */
export function noteBound(server: Server): void {
  if (servedAt.has(server)) return;
  unserved.add(server);
  if (listening) return;
  listening = true;
  // The event of a program that ends by itself, and not by an error or `Deno.exit`.
  addEventListener("beforeunload", reportUnserved);
}

/** Notes that a server serves. */
export function noteServing(server: Server): void {
  unserved.delete(server);
  servedAt.set(server, StartTime.current());
}

/** Notes that a server is closed. */
export function noteClosed(server: Server): void {
  unserved.delete(server);
}

/** Reports a server that `await using` closes in the turn in which it began to serve. */
export function warnIfJustBegun(server: Server): void {
  if (servedAt.get(server) !== StartTime.current()) return;
  say(
    `${
      nameOf(server)
    } was closed as soon as it began to serve: write await server.serveForever(), or await serve(server)`,
  );
}

function reportUnserved(): void {
  for (const server of unserved) {
    if (server.fileno() < 0) continue;
    say(
      `${
        nameOf(server)
      } never served: write await server.serveForever(), or await serve(server)`,
    );
  }
  unserved.clear();
}

function nameOf({ constructor, serverAddress }: Server): string {
  return `${constructor.name} on ${formatAddress(serverAddress)}`;
}
