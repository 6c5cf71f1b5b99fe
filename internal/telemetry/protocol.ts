/**
 * The protocol of a server, in the words of logs and of OpenTelemetry.
 *
 * @module
 */

import { AF_INET6, AF_UNIX, SOCK_DGRAM } from "../base/constants.ts";
import type { AnyServer } from "../stages/event_types.ts";

/** The protocol of a server. */
export interface Protocol {
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
