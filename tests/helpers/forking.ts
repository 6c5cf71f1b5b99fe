/**
 * Forking servers that collect their errors, and their processes.
 *
 * @module
 */

import {
  type Address,
  ForkingTCPServer,
  ForkingUDPServer,
  ForkingUnixDatagramServer,
  ForkingUnixStreamServer,
} from "../../mod.ts";
import { haveUnix, mayFork } from "./allowed.ts";
import { Reports } from "./reports.ts";

/** Whether children and Unix sockets may be used. */
export const MAY_UNIX = mayFork && haveUnix;

/** A `ForkingTCPServer` that collects its errors, as the classes below. */
export class TCP extends ForkingTCPServer {
  readonly reports = new Reports();
  override handleError(_request: unknown, address: Address, error: unknown) {
    this.reports.add(address, error);
  }
}
export class UDP extends ForkingUDPServer {
  readonly reports = new Reports();
  override handleError(_request: unknown, address: Address, error: unknown) {
    this.reports.add(address, error);
  }
}
export class UnixStream extends ForkingUnixStreamServer {
  readonly reports = new Reports();
  override handleError(_request: unknown, address: Address, error: unknown) {
    this.reports.add(address, error);
  }
}
export class UnixDatagram extends ForkingUnixDatagramServer {
  readonly reports = new Reports();
  override handleError(_request: unknown, address: Address, error: unknown) {
    this.reports.add(address, error);
  }
}

/** Serves until it is disposed of; disposing rejects if `serveForever` does. */
export function serving(
  server: TCP | UDP | UnixStream | UnixDatagram,
): AsyncDisposable {
  const served = server.serveForever();
  return {
    async [Symbol.asyncDispose]() {
      await server.serverClose({ timeout: 5 });
      await served;
    },
  };
}

/** Reports whether a process exists, a zombie included. */
export function exists(pid: number): boolean {
  try {
    return Deno.statSync(`/proc/${pid}`).isDirectory;
  } catch {
    return false;
  }
}

/** The flag that gives a program of a test the import map. */
export const CONFIG = `--config=${
  new URL("../../deno.json", import.meta.url).pathname
}`;
