/** The differences that show in no other scenario. */

import {
  addr,
  b,
  C,
  kw,
  ref,
  type Scenario,
  TCP_PAIR,
  tmp,
} from "../scenario.ts";

export const differences: Scenario[] = [
  {
    name: "the family of a socketpair",
    steps: [
      ["x, y = socketpair"],
      ["x.family?"],
      ["x.sendall", b("a")],
      ["y.recv", 1],
    ],
    differs: ["socketpair-family"],
  },
  {
    name: "the path of a server that is closed",
    server: {
      transport: "UnixStreamServer",
      way: "",
      handler: { base: "BaseRequestHandler" },
      manual: true,
    },
    steps: [
      ["where = server.server_address?"],
      ["server.server_close"],
      ["c = socket", C("AF_UNIX")],
      ["c.connect", ref("where")],
    ],
    differs: ["unix-path", "server-close-report"],
  },
  {
    name: "a line without end",
    steps: [
      ...TCP_PAIR,
      ["f = y.makefile", "rb"],
      ["line = bytearray", 70_000],
      ["x.sendall", ref("line")],
      ["x.sendall", b("\n")],
      ["f.readline"],
    ],
    differs: ["line-limit"],
  },
  {
    name: "IPv4 on a listener of IPv6",
    steps: [
      ["l = create_server", ["::", 0], kw({ family: C("AF_INET6") })],
      ["any, port = l.getsockname"],
      ["c = create_connection", ["127.0.0.1", ref("port")]],
    ],
    differs: ["dual-stack"],
  },
  {
    name: "a verify_request that throws",
    server: {
      transport: "TCPServer",
      way: "",
      handler: { base: "BaseRequestHandler" },
      hooks: { verify_request: { raises: "boom" } },
      manual: true,
    },
    steps: [
      ["c = create_connection", addr("server")],
      ["c.settimeout", 30],
      ["server.handle_request"],
      ["drain", "c"],
    ],
    differs: ["verify-throws"],
  },
  {
    name: "a datagram handler that writes, and throws",
    server: {
      transport: "UDPServer",
      way: "",
      handler: {
        base: "DatagramRequestHandler",
        handle: [["wfile.write", b("half")], ["raise", "boom"]],
      },
    },
    steps: [
      ["c = socket", C("AF_INET"), C("SOCK_DGRAM")],
      ["c.settimeout", 0.3],
      ["c.sendto", b("question"), addr("server")],
      ["c.recv", 99],
    ],
    differs: ["answer-of-a-throw"],
  },
  {
    name: "the timeout of a forking server",
    server: {
      transport: "TCPServer",
      way: "Forking",
      handler: { base: "BaseRequestHandler" },
      manual: true,
    },
    steps: [["server.timeout?"]],
    differs: ["forking-timeout"],
  },
  {
    name: "a connection that has ended both ways",
    steps: [
      ...TCP_PAIR,
      ["x.shutdown", C("SHUT_WR")],
      ["y.shutdown", C("SHUT_WR")],
      ["x.recv", 1],
      ["y.recv", 1],
      ["x.getpeername"],
      ["x.shutdown", C("SHUT_RD")],
    ],
    differs: ["ended-connection"],
  },
  {
    name: "a closed socket",
    steps: [
      ["s = socket"],
      ["s.close"],
      ["s.settimeout", 30],
      ["s.gettimeout"],
      ["s.recv", 0],
    ],
    differs: ["closed-socket"],
  },
  {
    name: "sending to a peer that does not read, over a Unix socket",
    steps: [
      ["l = socket", C("AF_UNIX")],
      ["l.bind", tmp("l")],
      ["l.listen"],
      ["x = socket", C("AF_UNIX")],
      ["x.connect", tmp("l")],
      ["y, from = l.accept"],
      ["y.shutdown", C("SHUT_RD")],
      ["x.send", b("")],
      ["x.send", b("a")],
    ],
    differs: ["unix-shut-rd"],
  },
  {
    name: "an answer that is held back while rfile waits",
    server: {
      transport: "TCPServer",
      way: "",
      handler: {
        base: "StreamRequestHandler",
        attrs: { wbufsize: -1 },
        handle: [["rfile.readline"], ["wfile.write", b("answer")], [
          "rfile.readline",
        ]],
      },
    },
    steps: [
      ["c = create_connection", addr("server")],
      ["c.sendall", b("question\n")],
      ["c.settimeout", 0.2],
      ["c.recv", 6],
      ["c.settimeout", 30],
      ["c.shutdown", C("SHUT_WR")],
    ],
    differs: ["tied-files"],
  },
];
