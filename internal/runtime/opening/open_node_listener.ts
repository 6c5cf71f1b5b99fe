/**
 * Opens a listening socket of `node:net`, whose connections another process can take over.
 *
 * @module
 */

import type { Server as NetServer } from "node:net";
import type { AddressLike } from "../../base/address.ts";
import { AF_INET6 } from "../../base/constants.ts";
import { OSError } from "../../base/errors.ts";
import { isIPv4, isIPv6 } from "../../base/inet.ts";
import { osError } from "../../base/translate_error.ts";
import type {
  ListenerTransport,
  TransportAddr,
} from "../transport/transport.ts";
import { hostFor } from "../resolver/dns.ts";
import {
  bindHandle,
  createPausedServer,
  listenAt,
  type ListenHandle,
  parkHandle,
  UNIX_PATH,
} from "../node/node_handles.ts";
import { NodeListener } from "../node/node_listener.ts";
import { ParkedListener } from "../node/parked_listener.ts";
import { openUnixListener, type PathOptions } from "../unix/unix_path.ts";
import { openListener } from "./open.ts";

/** The listener to open. */
export interface NodeListenOptions extends PathOptions {
  /** AF_INET, AF_INET6 or AF_UNIX. */
  family: number;
  /** `[host, port]`, or a path. */
  address: AddressLike;
  /** The number of connections that may wait in the backlog. */
  backlog: number;
  /** Whether other processes accept, and this one only keeps the socket. */
  parked?: boolean;
}

/**
 * Opens a listening socket at once: a taken port fails here, and port 0 becomes a real one.
 *
 * @throws {OSError} as `Socket.bind` does.
 */
export function openNodeListener(
  options: NodeListenOptions,
): ListenerTransport {
  const { address } = options;
  if (address === "" && Deno.build.os === "linux") return autobind(options);
  return typeof address === "string"
    ? openPath(address, options)
    : open(options);
}

/** Listens at a path. Errors name the path, and not the other name that the socket is bound to. */
function openPath(
  address: string,
  options: NodeListenOptions,
): ListenerTransport {
  try {
    const listen = (path: string) => open({ ...options, address: path });
    return openUnixListener(address, options, listen);
  } catch {
    throw openFailure(options);
  }
}

/** Binds to an abstract name of the system's form, as the autobind of unix(7) does. */
function autobind(options: NodeListenOptions): ListenerTransport {
  for (let tries = 1;; tries++) {
    const number = crypto.getRandomValues(new Uint32Array(1))[0] & 0xfffff;
    const address = `\0${number.toString(16).padStart(5, "0")}`;
    try {
      return open({ ...options, address });
    } catch (error) {
      const taken = error instanceof OSError && error.code === "EADDRINUSE";
      if (!taken || tries === NAMES_MAX) throw error;
    }
  }
}

/** The number of names to try, of a million. Arbitrary. */
const NAMES_MAX = 100;

function open(options: NodeListenOptions): ListenerTransport {
  const { family, address, backlog } = options;
  const [host, port] = typeof address === "string"
    ? [address, UNIX_PATH]
    : [literalHost(family, address), address[1]];
  const server = createPausedServer();
  const waiting = Math.max(1, backlog); // `node:net` takes 0 for its default
  const handle = listen(server, host, port, family, waiting);
  if (handle === undefined) throw openFailure(options);
  const addr = addressOf(server, host);
  if (!options.parked) return new NodeListener(server, handle, addr, waiting);
  const parked = parkHandle(handle);
  server.close(); // before the event loop turns: no connection is accepted
  return new ParkedListener(parked, addr, waiting);
}

/** Listens. Returns the handle, or undefined if that failed. */
function listen(
  server: NetServer,
  host: string,
  port: number,
  family: number,
  backlog: number,
): ListenHandle | undefined {
  const type = port === UNIX_PATH ? UNIX_PATH : family === AF_INET6 ? 6 : 4;
  let handle: ListenHandle | number;
  try {
    handle = bindHandle<ListenHandle>(host, port, type);
  } catch {
    return; // a missing permission: `openFailure` reports it
  }
  if (typeof handle === "number") return;
  return listenAt(server, handle, backlog) === 0 ? handle : undefined;
}

/** Returns the host as an IP address. Looks a name up in the only way that does not wait: by binding to it. */
function literalHost(family: number, address: readonly [string, number]) {
  const host = hostFor(family, address[0], address[1], "bind");
  if (isIPv4(host) || isIPv6(host)) return host;
  const probe = openListener(family, [address[0], 0]);
  probe.close();
  return probe.addr.hostname!;
}

/** Returns the error of `Deno.listen` for an address that could not be bound. */
function openFailure({ family, address }: NodeListenOptions): unknown {
  try {
    openListener(family, address).close();
  } catch (error) {
    return error;
  }
  return osError("EADDRINUSE", { syscall: "bind", address: String(address) });
}

function addressOf(server: NetServer, path: string): TransportAddr {
  const address = server.address();
  if (address === null || typeof address === "string") {
    return { transport: "unix", path };
  }
  return { transport: "tcp", hostname: address.address, port: address.port };
}
