/** Binding, listening, connecting, addresses. */

import { addr, b, C, kw, ref, type Scenario, tmp } from "../scenario.ts";

const LOOPBACK = ["127.0.0.1", 0];

export const connections: Scenario[] = [
  {
    name: "bind, listen, connect, accept, and the names of both ends",
    steps: [
      ["l = socket"],
      ["l.family?"],
      ["l.type?"],
      ["l.proto?"],
      ["l.fileno"],
      ["l.getsockname"],
      ["l.bind", LOOPBACK],
      ["l.getsockname"],
      ["l.listen", 5],
      ["c = socket"],
      ["c.connect", addr("l")],
      ["c.getpeername"],
      ["c.getsockname"],
      ["p, from = l.accept"],
      ["p.getpeername"],
      ["p.sendall", b("x")],
      ["c.recv", 1],
    ],
  },
  {
    name: "getpeername of what is not connected",
    steps: [
      ["s = socket"],
      ["s.getpeername"],
      ["s.bind", LOOPBACK],
      ["s.getpeername"],
      ["s.listen"],
      ["s.getpeername"],
    ],
  },
  {
    name: "bind refuses what is no address",
    steps: [
      ["s = socket"],
      ["s.bind", "path"],
      ["s.bind", ["127.0.0.1", 65536]],
      ["s.bind", ["127.0.0.1", -1]],
      ["s.bind", ["127.0.0.1", "80"]],
      ["s.bind", ["127.0.0.1"]],
      ["s.bind", null],
      ["s.bind", LOOPBACK],
      ["s.bind", LOOPBACK],
    ],
  },
  {
    name: "bind to an address in use, and to one that is not here",
    steps: [
      ["l = create_server", LOOPBACK],
      ["s = socket"],
      ["s.bind", addr("l")],
      ["t = socket"],
      ["t.bind", ["192.0.2.1", 0]],
    ],
  },
  {
    name: "connect to a port on which nobody listens",
    steps: [
      ["l = create_server", LOOPBACK],
      ["port = l.getsockname"],
      ["l.close"],
      ["s = socket"],
      ["s.connect", ref("port")],
      ["t = socket"],
      ["t.connect_ex", ref("port")],
      ["create_connection", ref("port")],
    ],
  },
  {
    name: "connect refuses what is no address",
    steps: [
      ["s = socket"],
      ["s.connect", "path"],
      ["s.connect", ["127.0.0.1", 99999]],
      ["s.connect", ["127.0.0.1"]],
      ["s.connect_ex", ["127.0.0.1", 99999]],
      ["s.connect", ["no host", 80]],
    ],
  },
  {
    name: "connect twice",
    steps: [
      ["l = create_server", LOOPBACK],
      ["c = socket"],
      ["c.connect", addr("l")],
      ["c.connect", addr("l")],
      ["c.connect_ex", addr("l")],
    ],
  },
  {
    name: "accept on what does not listen",
    steps: [["s = socket"], ["s.accept"], ["s.bind", LOOPBACK], ["s.accept"]],
  },
  {
    name: "listen on what is not bound, and twice",
    steps: [["l = socket"], ["l.listen"], ["l.listen", 3], ["l.listen", -1], [
      "l.listen",
      0,
    ]],
  },
  {
    name: "create_connection with a source address",
    steps: [
      ["l = create_server", LOOPBACK],
      [
        "c = create_connection",
        addr("l"),
        kw({ timeout: 5, source_address: LOOPBACK }),
      ],
      ["c.gettimeout"],
      ["p, from = l.accept"],
      ["show", "from"],
    ],
  },
  {
    name: "create_server",
    steps: [
      ["l = create_server", LOOPBACK, kw({ backlog: 2 })],
      ["l.getsockopt", C("SOL_SOCKET"), C("SO_REUSEADDR")],
      ["l.getsockopt", C("SOL_SOCKET"), C("SO_ACCEPTCONN")],
      ["create_server", LOOPBACK, kw({ dualstack_ipv6: true })],
      ["create_server", ["192.0.2.1", 0]],
    ],
  },
  {
    name: "IPv6",
    steps: [
      ["has_dualstack_ipv6"],
      ["l = create_server", ["::1", 0], kw({ family: 10 })],
      ["l.getsockname"],
      ["c = socket", C("AF_INET6")],
      ["c.connect", addr("l")],
      ["p, from = l.accept"],
      ["p.sendall", b("six")],
      ["c.recv", 9],
      ["c.getpeername"],
    ],
  },
  {
    name: "IPv6 only by name of a family",
    steps: [["s = socket", C("AF_INET6")], ["s.bind", ["127.0.0.1", 0]], [
      "t = socket",
    ], ["t.bind", ["::1", 0]]],
  },
  {
    name: "a Unix stream",
    steps: [
      ["l = socket", C("AF_UNIX")],
      ["l.getsockname"],
      ["l.bind", tmp("a")],
      ["l.listen"],
      ["l.getsockname"],
      ["c = socket", C("AF_UNIX")],
      ["c.connect", tmp("a")],
      ["p, from = l.accept"],
      ["show", "from"],
      ["c.getsockname"],
      ["c.getpeername"],
      ["p.sendall", b("unix")],
      ["c.recv", 9],
      ["c.shutdown", C("SHUT_WR")],
      ["p.recv", 9],
    ],
  },
  {
    name: "Unix paths that cannot be",
    differs: ["bound-listens"],
    steps: [
      ["s = socket", C("AF_UNIX")],
      ["s.bind", ["127.0.0.1", 0]],
      ["s.bind", tmp("x".repeat(120))],
      ["s.bind", tmp("no/such/directory")],
      ["s.bind", tmp("used")],
      ["t = socket", C("AF_UNIX")],
      ["t.bind", tmp("used")],
      ["t.connect", tmp("none")],
      ["u = socket", C("AF_UNIX")],
      ["u.connect", tmp("used")],
    ],
  },
  {
    name: "the socket of a family, or type, that is none",
    steps: [["socket", 99], ["socket", 2, 99], ["socket", -5]],
    differs: ["socket-type"],
  },
];
