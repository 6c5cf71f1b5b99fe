/**
 * Random scenarios of a server: a client and a handler talk in turns, so that both know when what is
 * there. At the end the handler tells its client what it has written down.
 *
 * @module
 */

import fc from "fast-check";
import {
  addr,
  b,
  C,
  type HandlerSpec,
  type Scenario,
  type Step,
  tmp,
  type Transport,
  type Way,
} from "../scenario.ts";
import { type Move, move, moves, size, text } from "./moves.ts";

/** The steps of both sides, and the data on the way between them. */
class Conversation {
  readonly client: Step[] = [];
  readonly handler: Step[] = [];
  /** The text that the client has sent, and the handler has not received. */
  pending = "";
  /** Whether the client sends no more, and whether the handler ends with an error. */
  ended = false;
  failed = false;

  constructor(readonly files: boolean) {}

  /** Adds a step of the handler, on its files or on its socket. */
  handle(files: Step, socket: Step): void {
    if (!this.failed) this.handler.push(this.files ? files : socket);
  }
}

function say(model: Conversation, data: string): void {
  if (model.ended || data === "") return;
  model.client.push(["c.sendall", b(data)]);
  model.pending += data;
}

function hear(model: Conversation, count: number): void {
  if (count > model.pending.length && !model.ended) return;
  if (model.failed) return;
  model.pending = model.pending.slice(count);
  model.handle(["rfile.read", count], ["take", "request", count]);
}

function hearLine(model: Conversation, limit: number): void {
  if (!model.files || model.failed) return;
  const line = model.pending.indexOf("\n") + 1 || Infinity;
  const wanted = Math.min(line, limit);
  if (wanted > model.pending.length && !model.ended) return;
  model.pending = model.pending.slice(wanted);
  model.handler.push(["rfile.readline", limit]);
}

function answer(model: Conversation, data: string): void {
  if (model.failed || data === "") return;
  model.handle(["wfile.write", b(data)], ["request.sendall", b(data)]);
  if (model.files) model.handler.push(["wfile.flush"]);
  model.client.push(["take", "c", data.length]);
}

/** The handler waits in vain; only then the client, which waits for an answer, goes on. */
function wait(model: Conversation, seconds: number): void {
  if (model.failed || model.files || model.pending !== "" || model.ended) {
    return;
  }
  model.handler.push(
    ["request.settimeout", seconds],
    ["request.recv", 9],
    ["request.settimeout", null],
    ["request.sendall", b("go")],
  );
  model.client.push(["take", "c", 2]);
}

function end(model: Conversation): void {
  if (model.ended) return;
  model.client.push(["c.shutdown", C("SHUT_WR")]);
  model.ended = true;
  // The handler must not leave before.
  model.handle(["rfile.read"], ["drain", "request"]);
  model.pending = "";
}

function fail(model: Conversation): void {
  if (model.failed || model.pending !== "") return; // unread data is a reset
  model.handler.push(["tell"], ["raise", "boom"]);
  model.failed = true;
  model.ended = true;
}

function ask(model: Conversation, what: string): void {
  if (!model.failed) model.handler.push([`request.${what}`]);
}

const MOVES: fc.Arbitrary<Move<Conversation>[]> = moves(
  [8, move([text], say)],
  [6, move([size], hear)],
  [6, move([size], hearLine)],
  [4, move([text], answer)],
  [1, move([fc.constantFrom(0, 0.01)], wait)],
  [1, move([], end)],
  [1, move([], fail)],
  [
    1,
    move([
      fc.constantFrom("family?", "type?", "gettimeout", "getblocking"),
    ], ask),
  ],
);

/** How the client connects. */
const DIAL: [Transport, Step[]][] = [
  ["TCPServer", [["c = create_connection", addr("server")]]],
  ["UnixStreamServer", [
    ["c = socket", C("AF_UNIX")],
    ["c.connect", addr("server")],
  ]],
];

/** Workers and processes take their time to start. */
const way: fc.Arbitrary<Way> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Way>("") },
  { weight: 3, arbitrary: fc.constant<Way>("Async") },
  { weight: 1, arbitrary: fc.constant<Way>("Threading") },
  { weight: 1, arbitrary: fc.constant<Way>("Forking") },
);

/** Scenarios of a stream server. */
export const conversations: fc.Arbitrary<Scenario> = fc.tuple(
  way,
  fc.constantFrom(...DIAL),
  fc.boolean(),
  fc.constantFrom(0, -1, 64),
  MOVES,
).map(([way, [transport, dial], files, wbufsize, list]) => {
  const model = new Conversation(files);
  for (const play of list) play(model);
  if (!model.failed) model.handler.push(...rest(model), ["tell"]);
  const handler: HandlerSpec = files
    ? { base: "StreamRequestHandler", attrs: { wbufsize } }
    : { base: "BaseRequestHandler" };
  return {
    name: `${way}${transport}`,
    server: { transport, way, handler: { ...handler, handle: model.handler } },
    steps: [...dial, ["c.settimeout", 30], ...model.client, ["drain", "c"]],
  };
});

/** Receives what is left: a close with unread data is a reset. */
function rest({ files, pending }: Conversation): Step[] {
  if (pending === "") return [];
  return [
    files
      ? ["rfile.read", pending.length]
      : ["take", "request", pending.length],
  ];
}

/** How the client of a datagram server opens its socket. */
const OPEN: [Transport, Step[]][] = [
  ["UDPServer", [
    ["c = socket", C("AF_INET"), C("SOCK_DGRAM")],
    ["c.bind", ["127.0.0.1", 0]],
  ]],
  ["UnixDatagramServer", [
    ["c = socket", C("AF_UNIX"), C("SOCK_DGRAM")],
    ["c.bind", tmp("client")],
  ]],
];

/** The steps of a handler of datagrams before it tells its client. */
const reading: fc.Arbitrary<Step> = fc.oneof(
  size.map((count): Step => ["rfile.read", count]),
  size.map((limit): Step => ["rfile.readline", limit]),
  fc.constant<Step>(["rfile.read"]),
  fc.constant<Step>(["rfile.readline"]),
  fc.constant<Step>(["show", "packet"]),
);

/** Scenarios of a datagram server: each datagram is answered. */
export const answers: fc.Arbitrary<Scenario> = fc.tuple(
  way,
  fc.constantFrom(...OPEN),
  fc.array(reading, { maxLength: 6 }),
  fc.array(text, { minLength: 1, maxLength: 6 }),
).map(([way, [transport, open], readings, datagrams]) => ({
  name: `${way}${transport}`,
  server: {
    transport,
    way,
    handler: {
      base: "DatagramRequestHandler",
      handle: [...readings, ["show", "packet"], ["tell"]],
    },
  },
  steps: [
    ...open,
    ["c.settimeout", 30],
    ...datagrams.flatMap((datagram): Step[] => [
      ["c.sendto", b(datagram), addr("server")],
      ["c.recv", 60_000],
    ]),
  ],
}));
