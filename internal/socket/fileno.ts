/**
 * What a socket is known by: its number, for `select` and servers, and its text in a log.
 *
 * @module
 */

import { formatAddress, fromTransport } from "../base/address.ts";
import type { SocketState } from "./state.ts";

/** By number: there are as many places as there were sockets open at a time. */
const owners: (object | undefined)[] = [];
const free: number[] = [];

/** 0, 1 and 2 are the standard streams everywhere; numbers here start above them. */
let next = 3;

/** Gives `owner` a number that nobody has. */
export function takeFileno(owner: object): number {
  const fileno = free.pop() ?? next++;
  owners[fileno] = owner;
  return fileno;
}

/** Takes a number back when its owner closes. */
export function releaseFileno(fileno: number): void {
  if (owners[fileno] === undefined) return;
  owners[fileno] = undefined;
  free.push(fileno);
}

/** Who has the number. */
export function ownerOf(fileno: number): object | undefined {
  return owners[fileno];
}

/** Number, kind and addresses, as Python's `repr` of a socket has them. */
export function describe(
  state: SocketState,
  fd: number,
  proto: number,
): string {
  const kind =
    `fd=${fd}, family=${state.family}, type=${state.type}, proto=${proto}`;
  if (state.closed) return `<Socket [closed] ${kind}>`;
  const own = formatAddress(state.getsockname());
  const addr = state.stream?.transport.remoteAddr ?? state.datagram?.peer;
  const peer = addr === undefined ? "" : formatAddress(fromTransport(addr));
  return `<Socket ${kind}${own && `, laddr=${own}`}${
    peer && `, raddr=${peer}`
  }>`;
}
