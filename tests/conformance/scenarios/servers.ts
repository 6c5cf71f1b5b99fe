/** Servers: the order of the hooks, one request at a time. */

import {
  addr,
  b,
  C,
  type Scenario,
  type ServerSpec,
  type Step,
} from "../scenario.ts";

/** Every method that a server calls for a request. */
const REQUEST = {
  get_request: null,
  verify_request: null,
  process_request: null,
  finish_request: null,
  shutdown_request: null,
  close_request: null,
  handle_error: null,
};

const echo: Step[] = [["request.recv", 99], ["request.sendall", b("answer")]];

const tcp = (extra: Partial<ServerSpec> = {}): ServerSpec => ({
  transport: "TCPServer",
  way: "",
  handler: { base: "BaseRequestHandler", handle: echo },
  hooks: REQUEST,
  ...extra,
});

const ask: Step[] = [
  ["c = create_connection", addr("server")],
  ["c.settimeout", 30],
  ["c.sendall", b("question")],
];

export const servers: Scenario[] = [
  {
    name: "the hooks of a request",
    server: tcp(),
    steps: [...ask, ["drain", "c"]],
  },
  {
    name: "the hooks of handle_request",
    server: tcp({ manual: true }),
    steps: [...ask, ["server.handle_request"], ["drain", "c"]],
  },
  {
    name: "handle_request that times out",
    server: tcp({
      manual: true,
      attrs: { timeout: 0.02 },
      hooks: { ...REQUEST, handle_timeout: null },
    }),
    steps: [["server.handle_request"], ...ask, ["server.handle_request"], [
      "drain",
      "c",
    ]],
  },
  {
    name: "a request that is refused",
    server: tcp({ hooks: { ...REQUEST, verify_request: false } }),
    steps: [["c = create_connection", addr("server")], ["c.settimeout", 30], [
      "drain",
      "c",
    ]],
  },
  {
    name: "a handler that throws",
    server: tcp({
      handler: { base: "BaseRequestHandler", handle: [["raise", "in handle"]] },
    }),
    steps: [["c = create_connection", addr("server")], ["c.settimeout", 30], [
      "drain",
      "c",
    ]],
  },
  {
    name: "setup that throws",
    server: tcp({
      handler: {
        base: "BaseRequestHandler",
        setup: [["raise", "in setup"]],
        finish: [["tell"]],
      },
    }),
    steps: [["c = create_connection", addr("server")], ["c.settimeout", 30], [
      "drain",
      "c",
    ]],
  },
  {
    name: "finish that throws",
    server: tcp({
      handler: {
        base: "BaseRequestHandler",
        handle: echo,
        finish: [["raise", "in finish"]],
      },
    }),
    steps: [...ask, ["drain", "c"]],
  },
  {
    name: "handle throws, and finish is called",
    server: tcp({
      handler: {
        base: "BaseRequestHandler",
        handle: [["raise", "in handle"]],
        finish: [["request.sendall", b("finished")]],
      },
    }),
    steps: [["c = create_connection", addr("server")], ["c.settimeout", 30], [
      "drain",
      "c",
    ]],
  },
  {
    name: "opening and closing a server",
    server: tcp({
      manual: true,
      hooks: { server_bind: null, server_activate: null, server_close: null },
    }),
    steps: [["server.server_close"], ["server.fileno"]],
    differs: ["server-close-report"],
  },
  {
    name: "attributes of a server",
    server: tcp({
      manual: true,
      attrs: { request_queue_size: 3, allow_reuse_address: true },
    }),
    steps: [
      ["server.address_family?"],
      ["server.socket_type?"],
      ["server.request_queue_size?"],
      ["server.timeout?"],
      ["server.allow_reuse_address?"],
      ["server.fileno"],
    ],
  },
  {
    name: "the default queue",
    server: tcp({ manual: true }),
    steps: [["server.request_queue_size?"]],
    differs: ["request-queue-size"],
  },
  {
    name: "one client after the other",
    server: tcp(),
    steps: [...ask, ["drain", "c"], ...ask, ["drain", "c"]],
  },
  {
    name: "a client that comes and goes",
    server: tcp(),
    steps: [["c = create_connection", addr("server")], ["c.close"], ...ask, [
      "drain",
      "c",
    ]],
  },
  {
    name: "a server of IPv6",
    server: tcp({ attrs: { address_family: C("AF_INET6") } }),
    steps: [...ask, ["drain", "c"]],
  },
  {
    name: "service_actions",
    server: tcp({ hooks: { get_request: null } }),
    steps: [["server.service_actions"], ...ask, ["drain", "c"]],
  },
  {
    name:
      "shutdown ends serve_forever, and the backlog is kept until the close",
    server: tcp({ hooks: {} }),
    steps: [["server.shutdown"], ["c = create_connection", addr("server")], [
      "c.settimeout",
      0.05,
    ], ["c.recv", 1]],
  },
  {
    name: "a datagram and its hooks",
    server: {
      transport: "UDPServer",
      way: "",
      handler: {
        base: "DatagramRequestHandler",
        handle: [["rfile.read"], ["wfile.write", b("answer")]],
      },
      hooks: REQUEST,
    },
    steps: [
      ["c = socket", C("AF_INET"), C("SOCK_DGRAM")],
      ["c.settimeout", 30],
      ["c.sendto", b("question"), addr("server")],
      ["c.recv", 99],
    ],
  },
  {
    name: "a datagram that is larger than the server takes",
    server: {
      transport: "UDPServer",
      way: "",
      attrs: { max_packet_size: 4 },
      handler: {
        base: "DatagramRequestHandler",
        handle: [["rfile.read"], ["tell"]],
      },
    },
    steps: [
      ["c = socket", C("AF_INET"), C("SOCK_DGRAM")],
      ["c.settimeout", 30],
      ["c.sendto", b("question"), addr("server")],
      ["c.recv", 99],
    ],
  },
  {
    name: "a datagram handler that writes nothing",
    server: {
      transport: "UDPServer",
      way: "",
      handler: { base: "DatagramRequestHandler", handle: [["rfile.read"]] },
    },
    steps: [
      ["c = socket", C("AF_INET"), C("SOCK_DGRAM")],
      ["c.settimeout", 0.3],
      ["c.sendto", b("question"), addr("server")],
      ["c.recv", 99],
    ],
    differs: ["empty-answer"],
  },
  {
    name: "an address that several servers may have",
    server: tcp({ attrs: { allow_reuse_port: true } }),
    steps: [["server.allow_reuse_port?"], ...ask, ["drain", "c"]],
  },
  ...[0, 4, -1].map((rbufsize): Scenario => ({
    name: `an rfile with rbufsize ${rbufsize}`,
    server: tcp({
      handler: {
        base: "StreamRequestHandler",
        attrs: { rbufsize },
        handle: [
          ["rfile.readline"],
          ["rfile.read", 4],
          ["rfile.readline", 2],
          ["rfile.readline"],
          ["rfile.readline"],
          ["tell"],
        ],
      },
    }),
    steps: [
      ["c = create_connection", addr("server")],
      ["c.settimeout", 30],
      ["c.sendall", b("line\nfourlong line\nend")],
      ["c.shutdown", C("SHUT_WR")],
      ["drain", "c"],
    ],
  })),
];
