/**
 * The kind and the addresses of a socket, and its text.
 *
 * @module
 */

import {
  type Address,
  familyOf,
  formatAddress,
  fromTransport,
} from "../base/address.ts";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  IPPROTO_TCP,
  IPPROTO_UDP,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../base/constants.ts";
import { osError } from "../base/translate_error.ts";
import {
  checkTransport,
  type Transport,
  type TransportAddr,
  typeOf,
} from "../runtime/transport/transport.ts";
import type { SocketState } from "./state.ts";

/** Throws unless a socket can have the family, the type and the protocol. */
export function checkKind(family: number, type: number, proto: number): void {
  if (family !== AF_INET && family !== AF_INET6 && family !== AF_UNIX) {
    const syscall = `make a socket of family ${family}`;
    throw osError("EAFNOSUPPORT", { syscall });
  }
  const usual = type === SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
  if (
    type !== SOCK_STREAM && type !== SOCK_DGRAM ||
    proto !== 0 && proto !== usual
  ) {
    const syscall = `make a socket of type ${type} and protocol ${proto}`;
    throw osError("EPROTONOSUPPORT", { syscall });
  }
}

/** Returns the family and the type of the socket for a transport. */
export function kindOf(transport: Transport): [family: number, type: number] {
  checkTransport(transport);
  const addr = "localAddr" in transport ? transport.localAddr : transport.addr;
  return [familyOf(addr), typeOf(transport)];
}

/** Returns the local address; the unspecified address if there is none. */
export function getsockname(state: SocketState): Address {
  state.checkOpen("getsockname");
  const addr = state.stream?.transport.localAddr ??
    (state.listener ?? state.datagram)?.transport.addr;
  if (addr !== undefined) return fromTransport(addr);
  if (state.localAddress !== undefined) return state.localAddress;
  if (state.family === AF_UNIX) return "";
  return [state.family === AF_INET ? "0.0.0.0" : "::", 0];
}

/** Returns the address of the peer. */
export function getpeername(state: SocketState): Address {
  state.checkOpen("getpeername");
  const addr = peerOf(state);
  if (addr === undefined) throw osError("ENOTCONN", { syscall: "getpeername" });
  return fromTransport(addr);
}

function peerOf(state: SocketState): TransportAddr | undefined {
  return state.stream?.transport.remoteAddr ?? state.datagram?.peer;
}

/** Returns the number, the kind and the addresses of a socket, as Python's `repr` shows them. */
export function describe(
  state: SocketState,
  fileno: number,
  proto: number,
): string {
  const { family, type } = state;
  const kind = `fd=${fileno}, family=${family}, type=${type}, proto=${proto}`;
  if (state.closed) return `<Socket [closed] ${kind}>`;
  const own = formatAddress(getsockname(state));
  const addr = peerOf(state);
  const peer = addr === undefined ? "" : formatAddress(fromTransport(addr));
  return `<Socket ${kind}${own && `, laddr=${own}`}${
    peer && `, raddr=${peer}`
  }>`;
}
