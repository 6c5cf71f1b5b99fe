/**
 * Showing a socket, for a log.
 *
 * @module
 */

import { formatAddress, fromTransport } from "./address.ts";
import type { SocketCore } from "./core.ts";

/** Number, kind and addresses, as Python's `repr` of a socket has them. */
export function describe(core: SocketCore, fd: number, proto: number): string {
  const kind =
    `fd=${fd}, family=${core.family}, type=${core.type}, proto=${proto}`;
  if (core.closed) return `<Socket [closed] ${kind}>`;
  const own = formatAddress(core.getsockname());
  const addr = core.stream?.transport.remoteAddr ?? core.datagram?.peer;
  const peer = addr === undefined ? "" : formatAddress(fromTransport(addr));
  return `<Socket ${kind}${own && `, laddr=${own}`}${
    peer && `, raddr=${peer}`
  }>`;
}
