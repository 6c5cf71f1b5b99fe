/**
 * Random scenarios of two datagram sockets, `x` and `y`: UDP or Unix.
 *
 * @module
 */

import fc from "fast-check";
import {
  addr,
  b,
  C,
  ref,
  type Scenario,
  type Step,
  tmp,
  type Value,
} from "../scenario.ts";
import { type Move, move, moves, seconds, size, text } from "./moves.ts";

type Name = "x" | "y";

/** The state of either socket in the model. */
class Side {
  /** Datagrams that were not received yet; a socket takes a few only. */
  readonly inbox: string[] = [];
  timeout: Value = null;
  connected = false;
  closed = false;
}

/** The steps so far, and where they have led. */
class Datagrams {
  readonly steps: Step[] = [];
  readonly #sides = { x: new Side(), y: new Side() };

  /** A socket and the other one. */
  at(name: Name): [own: Side, other: Side] {
    return [this.#sides[name], this.#sides[peerOf(name)]];
  }
}

const peerOf = (name: Name): Name => name === "x" ? "y" : "x";

/** A Unix socket holds ten, and then the sender waits. */
const MOST = 8;

function send(
  model: Datagrams,
  name: Name,
  how: "send" | "sendto" | "sendmsg",
  data: string,
): void {
  const [own, other] = model.at(name);
  if (!own.closed && (other.closed || other.inbox.length === MOST)) return;
  const to = addr(peerOf(name));
  if (how === "sendto") {
    if (other.closed) return; // it has no address
    if (own.connected) return; // protocols differ
    model.steps.push([`${name}.sendto`, b(data), to]);
    if (!own.closed) other.inbox.push(data);
    return;
  }
  const bytes = how === "sendmsg" ? [b(data), b("+")] : b(data);
  model.steps.push([`${name}.${how}`, bytes]);
  if (own.closed || !own.connected) return;
  other.inbox.push(how === "sendmsg" ? `${data}+` : data);
}

function recv(
  model: Datagrams,
  name: Name,
  how: "recv" | "recvfrom" | "recv_into" | "recvfrom_into" | "peek",
  count: number,
): void {
  const [own] = model.at(name);
  const waits = own.timeout === null || own.timeout === 10;
  if (!own.closed && own.inbox.length === 0 && waits) return;
  if (how.endsWith("into") && count === 0) return; // no buffer
  if (own.closed && count === 0) return; // CPython does not look
  model.steps.push(...received(name, how, count));
  if (!own.closed && how !== "peek") own.inbox.shift();
}

function received(name: Name, how: string, count: number): Step[] {
  if (how === "peek") return [[`${name}.recv`, count, C("MSG_PEEK")]];
  if (!how.endsWith("into")) return [[`${name}.${how}`, count]];
  return [
    ["buffer = bytearray", count],
    [`${name}.${how}`, ref("buffer")],
    ["show", "buffer"],
  ];
}

function connect(model: Datagrams, name: Name): void {
  const [own, other] = model.at(name);
  if (other.closed || own.inbox.length > 0) return; // it would keep some only
  model.steps.push([`${name}.connect`, addr(peerOf(name))]);
  if (!own.closed) own.connected = true;
}

function configure(
  model: Datagrams,
  name: Name,
  how: "settimeout" | "setblocking",
  value: Value,
): void {
  const [own] = model.at(name);
  const flag = how === "setblocking" ? value !== 0 : value;
  model.steps.push([`${name}.${how}`, flag]);
  model.steps.push([`${name}.gettimeout`]);
  if (how === "setblocking") own.timeout = flag ? null : 0;
  else if (value !== -1) own.timeout = value;
}

function ask(model: Datagrams, name: Name, what: string): void {
  model.steps.push([`${name}.${what}`]);
}

function close(model: Datagrams, name: Name): void {
  model.steps.push([`${name}.close`]);
  model.at(name)[0].closed = true;
}

const who: fc.Arbitrary<Name> = fc.constantFrom("x", "y");

const MOVES: fc.Arbitrary<Move<Datagrams>[]> = moves(
  [10, move([who, fc.constantFrom("send", "sendto", "sendmsg"), text], send)],
  [
    12,
    move([
      who,
      fc.constantFrom("recv", "recvfrom", "recv_into", "recvfrom_into", "peek"),
      size,
    ], recv),
  ],
  [2, move([who], connect)],
  [
    3,
    move(
      [who, fc.constantFrom("settimeout", "setblocking"), seconds],
      configure,
    ),
  ],
  [
    2,
    move([
      who,
      fc.constantFrom("fileno", "getblocking", "getpeername", "type?"),
    ], ask),
  ],
  [1, move([who], close)],
);

/** How the two are opened. */
const OPENED: Record<string, Step[]> = {
  UDP: opened("AF_INET", ["127.0.0.1", 0], ["127.0.0.1", 0]),
  "UDP over IPv6": opened("AF_INET6", ["::1", 0], ["::1", 0]),
  Unix: opened("AF_UNIX", tmp("x"), tmp("y")),
};

function opened(family: string, x: Value, y: Value): Step[] {
  return [
    ["x = socket", C(family), C("SOCK_DGRAM")],
    ["y = socket", C(family), C("SOCK_DGRAM")],
    ["x.bind", x],
    ["y.bind", y],
  ];
}

/** Scenarios of two datagram sockets. */
export const datagrams: fc.Arbitrary<Scenario> = fc.tuple(
  fc.constantFrom(...Object.keys(OPENED)),
  MOVES,
).map(([name, list]) => {
  const model = new Datagrams();
  for (const play of list) play(model);
  return { name, steps: [...OPENED[name], ...model.steps] };
});
