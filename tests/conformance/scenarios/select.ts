/** Waiting for many sockets. */

import { addr, b, C, ref, type Scenario } from "../scenario.ts";

export const select: Scenario[] = [
  {
    name: "select finds what can be read and what can be written",
    steps: [
      ["x, y = socketpair"],
      ["select", [ref("x"), ref("y")], [], [], 0.02],
      ["x.sendall", b("a")],
      ["select", [ref("x"), ref("y")], [ref("x")], [], 5],
      ["y.recv", 9],
      ["select", [ref("y")], [], [], 0],
      ["x.close"],
      ["select", [ref("y")], [], [], 5],
    ],
    differs: ["select-at-once"],
  },
  {
    name: "select finds a listener with a connection that waits",
    steps: [
      ["l = create_server", ["127.0.0.1", 0]],
      ["select", [ref("l")], [], [], 0],
      ["c = create_connection", addr("l")],
      ["select", [ref("l")], [], [], 5],
      ["p, from = l.accept"],
      ["select", [ref("l")], [], [], 0],
    ],
  },
  {
    name: "select finds a datagram",
    steps: [
      ["s = socket", C("AF_INET"), C("SOCK_DGRAM")],
      ["s.bind", ["127.0.0.1", 0]],
      ["select", [ref("s")], [ref("s")], [], 5],
      ["s.sendto", b("a"), addr("s")],
      ["select", [ref("s")], [], [ref("s")], 5],
      ["s.recv", 9],
    ],
  },
  {
    name: "select refuses what cannot be waited for",
    steps: [
      ["s = socket"],
      ["s.close"],
      ["select", [ref("s")], [], [], 0],
      ["select", ["a"], [], [], 0],
      ["select", [], [], [], -1],
      ["select", [], [], [], 0],
      ["select", 5, [], [], 0],
    ],
    differs: ["select-closed"],
  },
];
