/** Mix-ins: their attributes and hooks, over every transport. */

import {
  addr,
  b,
  C,
  type HandlerSpec,
  type Scenario,
  type ServerSpec,
  type Step,
  tmp,
  type Transport,
  type Way,
} from "../scenario.ts";

const WAYS: Way[] = ["", "Async", "Threading", "Forking"];

/** The hooks that run in the server's own process, whatever the way. */
const HOOKS = {
  get_request: null,
  verify_request: null,
  process_request: null,
};

/** Answers once, with whichever kind of request. */
function answering(transport: Transport): HandlerSpec {
  return transport === "TCPServer" || transport === "UnixStreamServer"
    ? {
      base: "StreamRequestHandler",
      handle: [["rfile.readline"], ["wfile.write", b("answer")]],
    }
    : {
      base: "DatagramRequestHandler",
      handle: [["rfile.readline"], ["wfile.write", b("answer")]],
    };
}

/** The transports without TLS. */
type Plain = Exclude<Transport, "TLSServer">;

/** A client's question, and the answer. */
const ASK: Record<Plain, Step[]> = {
  TCPServer: [
    ["c = create_connection", addr("server")],
    ["c.settimeout", 30],
    ["c.sendall", b("question\n")],
    ["drain", "c"],
  ],
  UnixStreamServer: [
    ["c = socket", C("AF_UNIX")],
    ["c.settimeout", 30],
    ["c.connect", addr("server")],
    ["c.sendall", b("question\n")],
    ["drain", "c"],
  ],
  UDPServer: [
    ["c = socket", C("AF_INET"), C("SOCK_DGRAM")],
    ["c.settimeout", 30],
    ["c.sendto", b("question\n"), addr("server")],
    ["c.recv", 99],
  ],
  UnixDatagramServer: [
    ["c = socket", C("AF_UNIX"), C("SOCK_DGRAM")],
    ["c.settimeout", 30],
    ["c.bind", tmp("client")],
    ["c.sendto", b("question\n"), addr("server")],
    ["c.recv", 99],
  ],
};

const server = (
  way: Way,
  transport: Transport,
  more: Partial<ServerSpec> = {},
): ServerSpec => ({ way, transport, handler: answering(transport), ...more });

const TRANSPORTS = Object.keys(ASK) as Plain[];

export const mixins: Scenario[] = [
  ...WAYS.flatMap((way) =>
    TRANSPORTS.map((transport): Scenario => ({
      name: `${way}${transport}: the hooks in the server's own process`,
      server: server(way, transport, { hooks: HOOKS }),
      steps: ASK[transport],
    }))
  ),
  ...WAYS.map((way): Scenario => ({
    name: `${way}TCPServer refuses a request`,
    server: server(way, "TCPServer", {
      hooks: { ...HOOKS, verify_request: false, handle_error: null },
    }),
    steps: [["c = create_connection", addr("server")], ["c.settimeout", 30], [
      "drain",
      "c",
    ]],
  })),
  ...WAYS.map((way): Scenario => ({
    name: `${way}TCPServer serves what handle_request asks for`,
    server: server(way, "TCPServer", { manual: true }),
    steps: [
      ["c = create_connection", addr("server")],
      ["c.settimeout", 30],
      ["c.sendall", b("question\n")],
      ["server.handle_request"],
      ["drain", "c"],
    ],
  })),
  ...[true, false].map((value): Scenario => ({
    name: `ForkingTCPServer with block_on_close ${value}`,
    server: server("Forking", "TCPServer", {
      attrs: { block_on_close: value },
    }),
    steps: [["server.block_on_close?"], ...ASK.TCPServer],
  })),
  ...[true, false].map((value): Scenario => ({
    name: `ThreadingTCPServer with block_on_close and daemon_threads ${value}`,
    server: server("Threading", "TCPServer", {
      attrs: { block_on_close: value, daemon_threads: value },
    }),
    steps: [
      ["server.block_on_close?"],
      ["server.daemon_threads?"],
      ...ASK.TCPServer,
    ],
  })),
  {
    name: "ForkingTCPServer's children",
    server: server("Forking", "TCPServer", { attrs: { max_children: 2 } }),
    steps: [
      ["server.max_children?"],
      ["server.active_children?"],
      ...ASK.TCPServer,
      ["server.collect_children"],
      ...ASK.TCPServer,
    ],
  },
];
