/**
 * Random scenarios of two connected stream sockets, `x` and `y`: TCP or Unix.
 *
 * @module
 */

import fc from "fast-check";
import {
  addr,
  b,
  C,
  kw,
  ref,
  type Scenario,
  type Step,
  TCP_PAIR,
  tmp,
  type Value,
} from "../scenario.ts";
import { End } from "./end.ts";
import { type Move, move, moves, seconds, size, text } from "./moves.ts";

type Name = "x" | "y";

/** The steps so far, and where they have led. */
class Streams {
  readonly steps: Step[] = [];
  readonly #ends = { x: new End("x"), y: new End("y") };

  /** A socket and its peer. */
  at(name: Name): [own: End, peer: End] {
    return [this.#ends[name], this.#ends[name === "x" ? "y" : "x"]];
  }

  step(...steps: Step[]): void {
    this.steps.push(...steps);
  }
}

function send(
  model: Streams,
  name: Name,
  how: "send" | "sendall" | "sendmsg",
  data: string,
): void {
  const [own, peer] = model.at(name);
  // A reset; a mixture of two writers.
  if (!own.gone && (peer.deaf || peer.gone || own.held !== "")) return;
  const bytes = how === "sendmsg" ? [b(data), b("+")] : b(data);
  model.step([`${name}.${how}`, bytes]);
  if (own.gone || !own.writing) return;
  peer.arrive(how === "sendmsg" ? `${data}+` : data);
}

function recv(
  model: Streams,
  name: Name,
  how: "recv" | "recv_into" | "peek" | "all" | "take",
  count: number,
): void {
  const [own] = model.at(name);
  if (own.reader) return; // its file has read ahead
  if (own.gone && count === 0) return; // CPython does not look
  const several = how === "all" || how === "take";
  const there = several ? own.pending : own.piece;
  if (own.piece !== own.pending) count = Math.min(count, there.length);
  // CPython 3.11 forgets what came before the time was over.
  if (several && !own.ended && there.length < count) return;
  if (!own.gone && there === "" && !own.ended && own.waits) return;
  if (!own.gone && how !== "peek") own.take(Math.min(count, there.length));
  model.step(...received(name, how, count));
}

function received(name: Name, how: string, count: number): Step[] {
  switch (how) {
    case "recv_into":
      return [
        ["buffer = bytearray", count],
        [`${name}.recv_into`, ref("buffer")],
        ["show", "buffer"],
      ];
    case "peek":
      return [[`${name}.recv`, count, C("MSG_PEEK")]];
    case "all":
      return [[`${name}.recv`, count, C("MSG_WAITALL")]];
    case "take":
      return [["take", name, count]];
    default:
      return [[`${name}.recv`, count]];
  }
}

/** A `recv` that waits until something happens. */
function wait(model: Streams, name: Name, data: string): void {
  const [own, peer] = model.at(name);
  const able = !own.gone && !own.reader && !own.ended &&
    own.pending === "" && own.waits;
  if (!able || peer.gone || !peer.writing || own.deaf || peer.held !== "") {
    return;
  }
  model.step([`&waiting = ${name}.recv`, 100]);
  if (data === "") {
    model.step([`${peer.name}.shutdown`, C("SHUT_WR")]);
    peer.writing = false;
    own.ended = true;
  } else model.step([`${peer.name}.sendall`, b(data)]);
  model.step(["join", "waiting"]);
}

function shutdown(model: Streams, name: Name, how: string): void {
  const [own, peer] = model.at(name);
  if (own.held !== "" || peer.gone) return;
  if (own.ended && !own.writing) return; // only the kernel knows whether it has ended
  model.step([`${name}.shutdown`, C(how)]);
  if (own.gone) return;
  // The fate of data sent to it depends on the protocol.
  own.deaf ||= how !== "SHUT_WR";
  own.ended ||= own.deaf;
  if (how === "SHUT_RD") return;
  own.writing = false;
  peer.ended = true;
}

function close(model: Streams, name: Name, how: "close" | "with"): void {
  const [own, peer] = model.at(name);
  if (own.pending !== "" || own.held !== "") return; // a reset
  model.step(how === "close" ? [`${name}.close`] : ["with", name]);
  own.closed = true;
  if (own.gone) peer.ended = true;
}

function configure(
  model: Streams,
  name: Name,
  how: "settimeout" | "setblocking",
  value: Value,
): void {
  const [own] = model.at(name);
  const flag = how === "setblocking" ? value !== 0 : value;
  model.step([`${name}.${how}`, flag]);
  model.step([`${name}.gettimeout`]);
  if (how === "setblocking") own.timeout = flag ? null : 0;
  else if (value !== -1) own.timeout = value;
}

function ask(model: Streams, name: Name, what: string): void {
  const [own] = model.at(name);
  if (what === "getpeername" && own.ended && !own.writing) return;
  model.step([`${name}.${what}`]);
}

function open(model: Streams, name: Name, mode: "rb" | "wb"): void {
  const [own] = model.at(name);
  const taken = mode === "rb" ? own.reader : own.writer;
  if (taken || own.closed || own.timeout === 0) return;
  model.step([`${name}${mode[0]} = ${name}.makefile`, mode]);
  if (mode === "rb") own.reader = true;
  else own.writer = true;
}

function read(
  model: Streams,
  name: Name,
  how: "read" | "readline" | "readinto",
  count: number,
): void {
  const [own] = model.at(name);
  if (!own.reader || own.timeout === 0) return;
  const line = own.pending.indexOf("\n") + 1 || Infinity;
  const wanted = how === "readline" ? Math.min(line, count) : count;
  if (wanted > own.pending.length && !own.ended) return;
  own.take(Math.min(wanted, own.pending.length));
  const file = `${name}r`;
  if (how !== "readinto") return model.step([`${file}.${how}`, count]);
  model.step(
    ["buffer = bytearray", count],
    [`${file}.readinto`, ref("buffer")],
    ["show", "buffer"],
  );
}

function readToTheEnd(model: Streams, name: Name, how: "read" | "lines"): void {
  const [own] = model.at(name);
  if (!own.reader || own.timeout === 0 || !own.ended) return;
  own.take(own.pending.length);
  model.step(how === "read" ? [`${name}r.read`] : ["lines", `${name}r`]);
}

function write(model: Streams, name: Name, data: string): void {
  const [own, peer] = model.at(name);
  if (!own.writer || !own.writing || own.timeout === 0) return;
  if (peer.gone || peer.deaf) return;
  own.held += data;
  model.step([`${name}w.write`, b(data)]);
}

function flush(model: Streams, name: Name, how: "flush" | "close"): void {
  const [own, peer] = model.at(name);
  if (!own.writer || own.timeout === 0) return;
  if ((peer.gone || peer.deaf) && own.held !== "") return;
  peer.arrive(own.held);
  own.held = "";
  model.step([`${name}w.${how}`]);
  if (how === "flush") return;
  own.writer = false;
  if (own.gone) peer.ended = true;
}

const who: fc.Arbitrary<Name> = fc.constantFrom("x", "y");

const STREAM_MOVES: fc.Arbitrary<Move<Streams>[]> = moves(
  [
    8,
    move([who, fc.constantFrom("send", "sendall", "sendmsg"), text], send),
  ],
  [
    12,
    move([
      who,
      fc.constantFrom("recv", "recv_into", "peek", "all", "take"),
      size,
    ], recv),
  ],
  [2, move([who, text], wait)],
  [
    1,
    move([who, fc.constantFrom("SHUT_RD", "SHUT_WR", "SHUT_RDWR")], shutdown),
  ],
  [1, move([who, fc.constantFrom("close", "with")], close)],
  [
    3,
    move(
      [who, fc.constantFrom("settimeout", "setblocking"), seconds],
      configure,
    ),
  ],
  [
    1,
    move([
      who,
      fc.constantFrom(
        "fileno",
        "getblocking",
        "getpeername",
        "getsockname",
        "family?",
        "type?",
      ),
    ], ask),
  ],
  [2, move([who, fc.constantFrom("rb", "wb")], open)],
  [6, move([who, fc.constantFrom("read", "readline", "readinto"), size], read)],
  [2, move([who, fc.constantFrom("read", "lines")], readToTheEnd)],
  [4, move([who, text], write)],
  [4, move([who, fc.constantFrom("flush", "close")], flush)],
);

/** How the two are connected. TCP sends small pieces at once, so that they do not depend on time. */
const CONNECTED: Record<string, Step[]> = {
  TCP: [
    ...TCP_PAIR,
    ["x.setsockopt", C("IPPROTO_TCP"), C("TCP_NODELAY"), 1],
    ["y.setsockopt", C("IPPROTO_TCP"), C("TCP_NODELAY"), 1],
  ],
  "TCP over IPv6": [
    ["l = create_server", ["::1", 0], kw({ family: C("AF_INET6") })],
    ["x = create_connection", addr("l")],
    ["y, from = l.accept"],
    ["x.setsockopt", C("IPPROTO_TCP"), C("TCP_NODELAY"), 1],
    ["y.setsockopt", C("IPPROTO_TCP"), C("TCP_NODELAY"), 1],
  ],
  Unix: [
    ["l = socket", C("AF_UNIX")],
    ["l.bind", tmp("l")],
    ["l.listen"],
    ["x = socket", C("AF_UNIX")],
    ["x.connect", tmp("l")],
    ["y, from = l.accept"],
  ],
};

/** Scenarios of two connected sockets. */
export const streams: fc.Arbitrary<Scenario> = fc.tuple(
  fc.constantFrom(...Object.keys(CONNECTED)),
  STREAM_MOVES,
).map(([name, list]) => {
  const model = new Streams();
  for (const play of list) play(model);
  return { name, steps: [...CONNECTED[name], ...model.steps] };
});
