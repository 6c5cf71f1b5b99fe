/** Datagrams. */

import { addr, b, C, ref, type Scenario, type Step, tmp } from "../scenario.ts";

const two = (family = "AF_INET", host = "127.0.0.1"): Step[] => [
  ["x = socket", C(family), C("SOCK_DGRAM")],
  ["y = socket", C(family), C("SOCK_DGRAM")],
  ["x.bind", [host, 0]],
  ["y.bind", [host, 0]],
];

export const datagrams: Scenario[] = [
  {
    name: "sendto and recvfrom",
    steps: [
      ...two(),
      ["x.sendto", b("there"), addr("y")],
      ["data, from = y.recvfrom", 100],
      ["y.sendto", b("back"), ref("from")],
      ["x.recv", 100],
      ["x.sendto", b("flags"), 0, addr("y")],
      ["y.recv", 100],
    ],
  },
  {
    name: "a datagram is received whole or cut, and its rest is gone",
    steps: [
      ...two(),
      ["x.sendto", b("long datagram"), addr("y")],
      ["x.sendto", b("next"), addr("y")],
      ["y.recv", 4],
      ["y.recv", 100],
    ],
  },
  {
    name: "an empty datagram",
    steps: [...two(), ["x.sendto", b(""), addr("y")], ["y.recvfrom", 100], [
      "x.sendto",
      b("full"),
      addr("y"),
    ], ["y.recvfrom", 100]],
  },
  {
    name: "the largest datagram, and one that is too large",
    steps: [
      ...two(),
      ["most = bytearray", 65507],
      ["over = bytearray", 65508],
      ["x.sendto", ref("most"), addr("y")],
      ["buffer = bytearray", 65535],
      ["y.recv_into", ref("buffer")],
      ["x.sendto", ref("over"), addr("y")],
      ["x.connect", addr("y")],
      ["x.send", ref("over")],
    ],
  },
  {
    name: "MSG_PEEK of a datagram",
    steps: [
      ...two(),
      ["x.sendto", b("peek"), addr("y")],
      ["y.recvfrom", 2, C("MSG_PEEK")],
      ["y.recvfrom", 100],
    ],
  },
  {
    name: "recvfrom_into",
    steps: [
      ...two(),
      ["buffer = bytearray", 6],
      ["x.sendto", b("abcdefgh"), addr("y")],
      ["y.recvfrom_into", ref("buffer")],
      ["show", "buffer"],
      ["x.sendto", b("ABCDEFGH"), addr("y")],
      ["y.recvfrom_into", ref("buffer"), 2],
      ["show", "buffer"],
    ],
  },
  {
    name: "a connected datagram socket hears its peer only",
    steps: [
      ...two(),
      ["z = socket", C("AF_INET"), C("SOCK_DGRAM")],
      ["z.bind", ["127.0.0.1", 0]],
      ["x.connect", addr("y")],
      ["z.sendto", b("stranger"), addr("x")],
      ["y.sendto", b("peer"), addr("x")],
      ["x.recv", 100],
      ["x.getpeername"],
      ["x.send", b("hi")],
      ["y.recv", 100],
      ["x.sendall", b("all")],
      ["y.recv", 100],
      ["x.sendmsg", [b("m"), b("sg")]],
      ["y.recv", 100],
    ],
  },
  {
    name: "send without a peer",
    steps: [
      ...two(),
      ["x.send", b("a")],
      ["x.sendall", b("a")],
      ["x.getpeername"],
      ["x.sendto", b("a"), ["127.0.0.1", 99999]],
      ["x.sendto", b("a")],
    ],
  },
  {
    name: "a socket that is not bound gets an address when it sends",
    steps: [
      ["y = socket", C("AF_INET"), C("SOCK_DGRAM")],
      ["y.bind", ["127.0.0.1", 0]],
      ["x = socket", C("AF_INET"), C("SOCK_DGRAM")],
      ["x.getsockname"],
      ["x.sendto", b("a"), addr("y")],
      ["data, from = y.recvfrom", 9],
      ["y.sendto", b("b"), ref("from")],
      ["x.recv", 9],
    ],
  },
  {
    name: "sendmsg with an address",
    steps: [...two(), ["x.sendmsg", [b("to"), b("gether")], [], 0, addr("y")], [
      "y.recvfrom",
      100,
    ]],
  },
  {
    name: "IPv6 datagrams",
    steps: [...two("AF_INET6", "::1"), ["x.sendto", b("six"), addr("y")], [
      "y.recvfrom",
      9,
    ], ["y.getsockname"]],
  },
  {
    name: "Unix datagrams",
    steps: [
      ["x = socket", C("AF_UNIX"), C("SOCK_DGRAM")],
      ["y = socket", C("AF_UNIX"), C("SOCK_DGRAM")],
      ["x.bind", tmp("x")],
      ["y.bind", tmp("y")],
      ["x.getsockname"],
      ["x.sendto", b("unix"), tmp("y")],
      ["data, from = y.recvfrom", 100],
      ["y.sendto", b("back"), ref("from")],
      ["x.recvfrom", 100],
      ["x.sendto", b(""), tmp("y")],
      ["y.recvfrom", 100],
      ["x.sendto", b("none"), tmp("none")],
      ["x.connect", tmp("y")],
      ["x.send", b("connected")],
      ["y.recv", 100],
    ],
  },
  {
    name: "stream calls on a datagram socket",
    steps: [...two(), ["x.listen"], ["x.accept"], ["x.shutdown", C("SHUT_WR")]],
  },
  {
    name: "close and reuse of a datagram's address",
    steps: [
      ...two(),
      ["where = x.getsockname"],
      ["y.bind", ref("where")],
      ["x.close"],
      ["x.sendto", b("a"), addr("y")],
      ["x.recv", 1],
    ],
  },
  ...(["AF_INET", "AF_UNIX"] as const).map((family): Scenario => ({
    name: `no peer, and nothing to receive, over ${family}`,
    steps: [
      ["x = socket", C(family), C("SOCK_DGRAM")],
      ["x.bind", family === "AF_UNIX" ? tmp("x") : ["127.0.0.1", 0]],
      ["x.send", b("a")],
      ["x.sendall", b("a")],
      ["x.getpeername"],
      ["x.sendto", b("a"), addr("x")],
      ["x.recv", 0],
      ["x.recvfrom", 0],
      ["x.recv", 0],
      ["x.settimeout", 0],
      ["x.recv", 1],
    ],
  })),
];
