/** Handlers under every way to run them, over every transport. */

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

const WAYS: Way[] = ["", "Async", "Threading", "Forking"];

const dial: Record<"TCPServer" | "UnixStreamServer", Step[]> = {
  TCPServer: [["c = create_connection", addr("server")], ["c.settimeout", 30]],
  UnixStreamServer: [["c = socket", C("AF_UNIX")], ["c.settimeout", 30], [
    "c.connect",
    addr("server"),
  ]],
};

const open: Record<"UDPServer" | "UnixDatagramServer", Step[]> = {
  UDPServer: [["c = socket", C("AF_INET"), C("SOCK_DGRAM")], ["c.bind", [
    "127.0.0.1",
    0,
  ]], ["c.settimeout", 30]],
  UnixDatagramServer: [["c = socket", C("AF_UNIX"), C("SOCK_DGRAM")], [
    "c.bind",
    tmp("client"),
  ], ["c.settimeout", 30]],
};

/** The steps of a handler and of its client over streams. */
const STREAMS: Record<string, [HandlerSpec, Step[], string[]?]> = {
  "echo": [
    {
      base: "BaseRequestHandler",
      handle: [["data = request.recv", 99], ["request.sendall", {
        ref: "data",
      }]],
    },
    [["c.sendall", b("echo")], ["drain", "c"]],
  ],
  "lines": [
    {
      base: "StreamRequestHandler",
      handle: [["rfile.readline"], ["rfile.readline"], ["rfile.readline"], [
        "tell",
      ]],
    },
    [["c.sendall", b("one\ntwo\nend")], ["c.shutdown", C("SHUT_WR")], [
      "drain",
      "c",
    ]],
  ],
  "the calls that a handler makes": [
    {
      base: "BaseRequestHandler",
      handle: [
        ["request.recv", 2],
        ["request.recv", 1, C("MSG_PEEK")],
        ["request.recv", 8, C("MSG_WAITALL")],
        ["request.settimeout", 0.03],
        ["request.recv", 1],
        ["request.gettimeout"],
        ["request.setblocking", false],
        ["request.recv", 1],
        ["request.setblocking", true],
        ["request.family?"],
        ["request.type?"],
        ["tell"],
      ],
    },
    [["c.sendall", b("0123456789")], ["drain", "c"]],
  ],
  "half-close both ways": [
    {
      base: "StreamRequestHandler",
      handle: [
        ["rfile.read"],
        ["wfile.write", b("got all")],
        ["request.shutdown", C("SHUT_WR")],
      ],
    },
    [
      ["c.sendall", b("a")],
      ["c.sendall", b("b")],
      ["c.shutdown", C("SHUT_WR")],
      ["drain", "c"],
    ],
  ],
  "a timeout of the handler's class": [
    {
      base: "StreamRequestHandler",
      attrs: { timeout: 0.05 },
      handle: [["rfile.readline"], ["tell"]],
    },
    [["drain", "c"]],
  ],
  "a buffered wfile is flushed at the end": [
    {
      base: "StreamRequestHandler",
      attrs: { wbufsize: -1 },
      handle: [["wfile.write", b("held ")], ["wfile.write", b("back")]],
    },
    [["drain", "c"]],
  ],
  "setup, handle, finish, in this order": [
    {
      base: "BaseRequestHandler",
      setup: [["request.sendall", b("setup ")]],
      handle: [["request.sendall", b("handle ")]],
      finish: [["request.sendall", b("finish")]],
    },
    [["drain", "c"]],
  ],
  "a throw in handle": [
    {
      base: "BaseRequestHandler",
      handle: [["request.sendall", b("before")], ["raise", "boom"]],
      finish: [["request.sendall", b(" after")]],
    },
    [["drain", "c"]],
  ],
  "an error of the socket in handle": [
    {
      base: "BaseRequestHandler",
      handle: [["request.settimeout", 0.02], ["!request.recv", 1]],
      finish: [["request.sendall", b("finish")]],
    },
    [["drain", "c"]],
  ],
  "no delay": [
    {
      base: "StreamRequestHandler",
      attrs: { disable_nagle_algorithm: true },
      handle: [["tell"], ["wfile.write", b("x")]],
    },
    [["drain", "c"]],
  ],
  "a client that leaves": [
    {
      base: "BaseRequestHandler",
      handle: [["request.recv", 9]],
    },
    [["c.sendall", b("bye")], ["c.close"]],
  ],
};

const DATAGRAMS: Record<string, [HandlerSpec, Step[]]> = {
  "answers by its files": [
    {
      base: "DatagramRequestHandler",
      handle: [["rfile.readline"], ["rfile.read"], ["tell"]],
    },
    [["c.sendto", b("line\nrest"), addr("server")], ["c.recv", 999]],
  ],
  "answers on the socket": [
    { base: "BaseRequestHandler", handle: [["show", "packet"], ["tell"]] },
    [["c.sendto", b("packet"), addr("server")], ["c.recv", 999]],
  ],
  "an empty datagram": [
    { base: "BaseRequestHandler", handle: [["show", "packet"], ["tell"]] },
    [["c.sendto", b(""), addr("server")], ["c.recv", 999]],
  ],
  "one after the other": [
    { base: "DatagramRequestHandler", handle: [["rfile.read"], ["tell"]] },
    [["c.sendto", b("1"), addr("server")], ["c.recv", 999], [
      "c.sendto",
      b("2"),
      addr("server"),
    ], ["c.recv", 999]],
  ],
  "a throw in handle is no answer": [
    { base: "BaseRequestHandler", handle: [["raise", "boom"]] },
    [["c.sendto", b("x"), addr("server")], ["c.settimeout", 0.2], [
      "c.recv",
      999,
    ]],
  ],
};

export const handlers: Scenario[] = WAYS.flatMap((way) => [
  ...(["TCPServer", "UnixStreamServer"] as const).flatMap((transport) =>
    Object.entries(STREAMS).map(([name, [handler, steps]]) =>
      scenario(way, transport, name, handler, [...dial[transport], ...steps])
    )
  ),
  ...(["UDPServer", "UnixDatagramServer"] as const).flatMap((transport) =>
    Object.entries(DATAGRAMS).map(([name, [handler, steps]]) =>
      scenario(way, transport, name, handler, [...open[transport], ...steps])
    )
  ),
]);

function scenario(
  way: Way,
  transport: Transport,
  name: string,
  handler: HandlerSpec,
  steps: Step[],
): Scenario {
  const differs = transport === "UnixStreamServer" && name === "no delay"
    ? ["no-delay-unix"]
    : [];
  return {
    name: `${way}${transport}: ${name}`,
    server: { transport, way, handler },
    steps,
    differs,
  };
}
