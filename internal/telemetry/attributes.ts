/**
 * The attributes of servers, clients and errors, for logs, metrics and traces.
 *
 * @module
 */

import type { Address } from "../base/address.ts";
import { AF_INET6, AF_UNIX, SOCK_DGRAM } from "../base/constants.ts";
import type { Attributes } from "../runtime/system/open_telemetry.ts";
import type { AnyServer } from "../stages/event_types.ts";
import { Socket } from "../socket/socket_object.ts";
import type { Labels } from "./metrics.ts";

/** The protocol of a server. */
interface Protocol {
  /** The name for a log. */
  readonly name: "TCP" | "UDP" | "UNIX" | "UNIXGRAM";
  /** The attribute `network.transport`. */
  readonly transport: "tcp" | "udp" | "unix";
  /** The attribute `network.type`; undefined for Unix sockets. */
  readonly type: "ipv4" | "ipv6" | undefined;
}

/** Returns the protocol of a server over a socket. */
export function protocolOf(server: AnyServer): Protocol {
  const { addressFamily, socketType } = server as AnyServer & {
    readonly addressFamily?: number;
    readonly socketType?: number;
  };
  const datagrams = socketType === SOCK_DGRAM;
  if (addressFamily === AF_UNIX) {
    const name = datagrams ? "UNIXGRAM" : "UNIX";
    return { name, transport: "unix", type: undefined };
  }
  const type = addressFamily === AF_INET6 ? "ipv6" : "ipv4";
  return datagrams
    ? { name: "UDP", transport: "udp", type }
    : { name: "TCP", transport: "tcp", type };
}

/** Returns the attributes of a server. */
export function serverAttributes(server: AnyServer): Attributes {
  const { transport, type } = protocolOf(server);
  return {
    ...addressAttributes("server", server.serverAddress),
    "network.transport": transport,
    ...(type === undefined ? {} : { "network.type": type }),
  };
}

/** Returns the attributes of the address of a side; none for a client on an unnamed Unix socket. */
export function addressAttributes(
  side: "server" | "client",
  address: Address,
): Attributes {
  if (!Array.isArray(address)) {
    return address ? { [`${side}.address`]: String(address) } : {};
  }
  const [host, port] = address;
  return { [`${side}.address`]: host, [`${side}.port`]: port };
}

/** Returns the attributes of the other end of a connection, which may be a proxy and not the client. */
export function peerAttributes(request: unknown): Attributes {
  if (!(request instanceof Socket)) return {};
  try {
    const peer = request.getpeername();
    return typeof peer === "string"
      ? peer === "" ? {} : { "network.peer.address": peer }
      : { "network.peer.address": peer[0], "network.peer.port": peer[1] };
  } catch {
    return {}; // the client has gone
  }
}

/** Returns the labels of a metric as attributes. */
export function labelAttributes(labels: Labels): Attributes {
  const named = Object.entries(labels).map(([label, value]) => [
    label === "direction" ? "network.io.direction" : `socketserver.${label}`,
    value,
  ]);
  return Object.fromEntries(named);
}

/** Returns the attribute `error.type`: the code of an error of the system, or the name of its class. Never throws. */
export function errorType(error: unknown): string {
  try {
    const { code, name } = Object(error);
    const type = typeof code === "string" ? code : name;
    return typeof type === "string" && type !== "" ? type : typeof error;
  } catch {
    return "_OTHER"; // the value that the conventions have for this
  }
}
