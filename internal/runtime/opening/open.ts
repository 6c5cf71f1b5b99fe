/**
 * Opens the transports of sockets: connections, listeners and datagram sockets.
 *
 * @module
 */

import {
  type Address,
  type AddressLike,
  familyOf,
  formatAddress,
} from "../../base/address.ts";
import { AF_INET, AF_INET6, AF_UNIX } from "../../base/constants.ts";
import type { OSError } from "../../base/errors.ts";
import { isIPv4, isIPv6 } from "../../base/inet.ts";
import { osError, translate } from "../../base/translate_error.ts";
import type {
  DatagramTransport,
  ListenerTransport,
  StreamTransport,
  TransportAddr,
} from "../transport/transport.ts";
import { gaiError, hostFor, wrongFamily } from "../resolver/dns.ts";
import { resolveHost } from "../resolver/getaddrinfo.ts";
import {
  DenoDatagram,
  type DenoDatagramConn,
  listenDatagram,
  unstableNet,
} from "../deno/deno_datagram.ts";
import {
  scopedDatagram,
  scopedListener,
  scopedStream,
  scopeOf,
} from "../deno/scope_id.ts";
import { bindNodeDatagram } from "../node/node_datagram.ts";
import { canBindHandles } from "../node/node_handles.ts";
import { connectFrom } from "../node/node_stream.ts";
import { connectUnix } from "../unix/unix_connect.ts";
import { connectUnixFrom } from "../unix/unix_connect_from.ts";
import { UnixDatagram } from "../unix/unix_datagram.ts";
import { openUnixListener, type PathOptions } from "../unix/unix_path.ts";
import { bindWithSendSockets } from "../unix/unix_send_sockets.ts";
import { removeStale } from "../unix/unix_stale_path.ts";

/** The options of a socket that is being bound. */
export interface BindOptions extends PathOptions {
  /** SO_REUSEADDR, for UDP; Deno sets it on every TCP listener. */
  reuseAddr: boolean;
  /** SO_REUSEPORT. */
  reusePort: boolean;
}

/** Throws for SO_REUSEPORT if Deno cannot set it: on TCP, Deno (2.9.6) would end the process without the flag. */
function checkReusePort(
  options: BindOptions,
  address: AddressLike,
  datagram: boolean,
): void {
  if (!options.reusePort || (unstableNet && !datagram)) return;
  throw osError("ENOPROTOOPT", {
    syscall: "bind",
    address: formatAddress(address),
    reason: datagram
      ? "Deno cannot set SO_REUSEPORT on datagram sockets"
      : "SO_REUSEPORT needs deno run --unstable-net",
  });
}

/** Calls a function that binds to `address`, and translates its errors. */
function binding<T>(address: AddressLike, bind: () => T): T {
  try {
    return bind();
  } catch (error) {
    throw openError(error, "bind", address);
  }
}

/** Translates an error of Deno. If a name was not found, only the message tells (Deno 2.9.6): the error has no code. */
function openError(
  error: unknown,
  syscall: string,
  address: AddressLike,
): unknown {
  const where = formatAddress(address);
  const message = error instanceof Error ? error.message : "";
  if (error instanceof URIError || message.startsWith("failed to lookup")) {
    const again = message.endsWith("Temporary failure in name resolution");
    const question = { syscall, host: where };
    return gaiError(again ? "EAI_AGAIN" : "EAI_NONAME", question, {
      cause: error,
    });
  }
  return translate(error, { syscall, address: where });
}

/** Closes a bound socket of the wrong family and throws: a name may have addresses only in the other one. */
export function checkFamily(
  bound: ListenerTransport | DatagramTransport,
  family: number,
  host: string,
): void {
  if (familyOf(bound.addr) === family) return;
  bound.close();
  throw wrongFamily(family, host);
}

/** Opens a listening stream socket. */
export function openListener(
  family: number,
  address: AddressLike,
  backlog?: number,
  options: BindOptions = { reuseAddr: false, reusePort: false },
): ListenerTransport {
  if (typeof address === "string") {
    return binding(address, () => openUnixListener(address, options));
  }
  checkReusePort(options, address, false);
  const [host, port] = address;
  const listenOptions: Deno.TcpListenOptions = {
    hostname: hostFor(family, host, port, "bind"),
    port,
  };
  if (backlog !== undefined) listenOptions.tcpBacklog = backlog;
  if (options.reusePort) listenOptions.reusePort = true;
  const listener = binding(address, () => Deno.listen(listenOptions));
  checkFamily(listener, family, host);
  return scopedListener(listener, scopeOf(host));
}

/** Opens a datagram socket. */
export function openDatagram(
  family: number,
  address: AddressLike,
  options: BindOptions,
): DatagramTransport {
  if (typeof address === "string") return openUnixDatagram(address, options);
  const [host, port] = address;
  const hostname = hostFor(family, host, port, "bind");
  checkReusePort(options, address, true);
  const { reuseAddr } = options;
  const listen = listenDatagram;
  const opened = binding(
    address,
    () =>
      listen === undefined
        ? bindNodeDatagram({ family, hostname, port, reuseAddr })
        : adoptDatagram(
          listen({ transport: "udp", hostname, port, reuseAddress: reuseAddr }),
        ),
  );
  checkFamily(opened, family, host);
  return scopedDatagram(opened, scopeOf(host));
}

function openUnixDatagram(
  path: string,
  options: PathOptions,
): DatagramTransport {
  const listen = listenDatagram;
  if (listen === undefined) {
    const reason = "Unix datagram sockets need deno run --unstable-net";
    const address = formatAddress(path);
    throw osError("EPROTONOSUPPORT", { syscall: "bind", address, reason });
  }
  if (path === "" || path.startsWith("\0")) { // no other socket can have such a name
    const unnamed = { transport: "unixpacket", path } as const;
    return binding(path, () => adoptDatagram(listen(unnamed)));
  }
  const [conn, sendSockets] = binding(path, () => {
    if (options.replaceStalePath) removeStale(path);
    return bindWithSendSockets(path, options.pathMode);
  });
  return new UnixDatagram(conn, openWaker, sendSockets);
}

/** Wraps a datagram socket of Deno's with the features that it lacks. */
export function adoptDatagram(conn: DenoDatagramConn): DatagramTransport {
  if (conn.addr.transport !== "unixpacket") return new DenoDatagram(conn);
  return new UnixDatagram(conn, openWaker);
}

function openWaker(): DenoDatagramConn {
  const path = unboundAddress(AF_UNIX) as string;
  return listenDatagram!({ transport: "unixpacket", path });
}

/**
 * Returns an address for a datagram socket that sends before it is bound. A Unix socket gets an abstract name, as with
 * the autobind of unix(7); only Linux has these.
 */
export function unboundAddress(family: number): Address {
  if (family !== AF_UNIX) return [family === AF_INET ? "0.0.0.0" : "::", 0];
  if (Deno.build.os === "linux") return `\0${crypto.randomUUID()}`;
  throw osError("EINVAL", {
    syscall: "sendto",
    reason: "bind a Unix datagram socket before sending",
  });
}

/** Returns an address that only this host reaches, and that the system completes. */
export function loopbackAddress(family: number): Address {
  if (family !== AF_UNIX) {
    return [family === AF_INET ? "127.0.0.1" : "::1", 0];
  }
  return Deno.build.os === "linux"
    ? unboundAddress(AF_UNIX)
    : `${Deno.makeTempDirSync()}/socketpair`;
}

/** Reports whether this system lets an IPv6 socket take IPv4: Windows has IPV6_V6ONLY on, and Deno cannot clear it. */
export function isDualStack(): boolean {
  return Deno.build.os !== "windows";
}

/** The addresses of a connection to open. */
export interface ConnectOptions {
  /** The family of the socket. */
  family: number;
  /** The address of the peer. */
  address: AddressLike;
  /** The local address of a socket that was bound before. */
  from?: Address;
  /** The options of the local address, if that is a path. */
  pathOptions?: PathOptions;
  /** Aborts the attempt. */
  signal?: AbortSignal;
}

/** Creates the system's error for port 0. Deno (2.9.6) would throw the error of a wrong argument. */
function refused(address: AddressLike): OSError {
  const where = formatAddress(address);
  return osError("ECONNREFUSED", { syscall: "connect", address: where });
}

/** Opens a connection. */
export async function openStream(
  options: ConnectOptions,
): Promise<StreamTransport> {
  const { family, address, from, pathOptions, signal } = options;
  try {
    if (typeof address === "string") {
      return await openUnixStream(address, from, pathOptions, signal);
    }
    const [host, port] = address;
    const hostname = await resolveHost(family, host, port, "connect");
    if (port === 0) throw refused(address);
    const conn = Array.isArray(from)
      ? await connectFrom(from, [hostname, port], signal)
      : await Deno.connect({ hostname, port, signal });
    return scopedStream(conn, scopeOf(hostname));
  } catch (error) {
    throw openError(error, "connect", address);
  }
}

async function openUnixStream(
  path: string,
  from: Address | undefined,
  options: PathOptions = {},
  signal?: AbortSignal,
): Promise<StreamTransport> {
  if (typeof from !== "string" || !canBindHandles()) {
    return await connectUnix(path, signal);
  }
  const dial = () => connectUnixFrom(from, path, options, signal);
  return await connectUnix(path, signal, dial);
}

/** Returns the transport's form of an address to send datagrams to. Literal addresses need no resolver. */
export function datagramTarget(
  family: number,
  address: AddressLike,
): TransportAddr | Promise<TransportAddr> {
  if (typeof address === "string") {
    return { transport: "unixpacket", path: address };
  }
  const [host, port] = address;
  if (family === AF_INET ? isIPv4(host) : family === AF_INET6 && isIPv6(host)) {
    return { transport: "udp", hostname: host, port };
  }
  return resolveHost(family, host, port, "sendto").then((hostname) => ({
    transport: "udp",
    hostname,
    port,
  }));
}
