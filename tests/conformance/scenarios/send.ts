/** Sending on a stream. */

import { b, C, ref, type Scenario, TCP_PAIR, tmp } from "../scenario.ts";

export const send: Scenario[] = [
  {
    name: "send and sendall arrive in order",
    steps: [
      ["x, y = socketpair"],
      ["x.send", b("one ")],
      ["x.sendall", b("two ")],
      ["x.send", b("three")],
      ["take", "y", 13],
    ],
  },
  {
    name: "send of nothing",
    steps: [["x, y = socketpair"], ["x.send", b("")], ["x.sendall", b("")], [
      "y.recv",
      1,
      C("MSG_DONTWAIT"),
    ]],
  },
  {
    name: "send refuses text",
    steps: [["x, y = socketpair"], ["x.send", "text"], ["x.sendall", "text"], [
      "x.send",
      null,
    ], ["x.sendall", 5]],
  },
  {
    name: "send on a socket that is closed, or not connected",
    steps: [
      ["s = socket"],
      ["s.send", b("a")],
      ["s.sendall", b("a")],
      ["s.close"],
      ["s.send", b("a")],
      ["s.sendall", b("a")],
    ],
  },
  {
    name: "a whole sendall arrives while the peer reads",
    steps: [
      ["x, y = socketpair"],
      ["x.settimeout", 10],
      ["large = bytearray", 3000000],
      ["&sending = x.sendall", ref("large")],
      ["buffer = bytearray", 3000000],
      ["y.recv_into", ref("buffer"), 3000000, C("MSG_WAITALL")],
      ["join", "sending"],
    ],
  },
  {
    name: "sendmsg sends the buffers as one",
    steps: [
      ["x, y = socketpair"],
      ["x.sendmsg", [b("a"), b(""), b("bcd")]],
      ["y.recv", 10],
      ["x.sendmsg", []],
      ["x.sendmsg", [b("no"), "text"]],
      ["x.sendmsg", 5],
      ["x.close"],
      ["x.sendmsg", [b("a")]],
    ],
  },
  {
    name: "sendto on a connected stream",
    steps: [...TCP_PAIR, ["x.sendto", b("a"), ["127.0.0.1", 9]], ["x.close"], [
      "y.recv",
      10,
    ]],
    differs: ["sendto-connected"],
  },
  {
    name: "sendfile sends a file, or a part of it",
    steps: [
      ["x, y = socketpair"],
      ["f = file", b("the content of a file")],
      ["x.sendfile", ref("f")],
      ["take", "y", 21],
      ["x.sendfile", ref("f"), 4],
      ["take", "y", 17],
      ["x.sendfile", ref("f"), 4, 7],
      ["take", "y", 7],
      ["x.sendfile", ref("f"), 100],
      ["x.sendfile", ref("f"), 0, 100],
      ["take", "y", 21],
    ],
  },
  {
    name: "sendfile refuses what cannot be",
    steps: [
      ["x, y = socketpair"],
      ["f = file", b("content")],
      ["x.sendfile", ref("f"), 0, 0],
      ["x.sendfile", ref("f"), 0, -1],
      ["x.setblocking", false],
      ["x.sendfile", ref("f")],
      ["d = socket", C("AF_INET"), C("SOCK_DGRAM")],
      ["d.sendfile", ref("f")],
    ],
  },
  {
    name: "sendfile leaves the file where it has read to",
    steps: [
      ["x, y = socketpair"],
      ["f = file", b("0123456789")],
      ["x.sendfile", ref("f"), 2, 3],
      ["x.sendfile", ref("f")],
      ["take", "y", 13],
    ],
  },
  {
    name: "send after the peer has closed ends in an error",
    steps: [
      ...TCP_PAIR,
      ["y.close"],
      ["x.recv", 1],
      ["x.sendall", b("first")],
      ["x.recv", 1],
      ["x.sendall", b("second")],
    ],
  },
  {
    name: "a path as a file",
    steps: [["x, y = socketpair"], ["x.sendfile", tmp("none")]],
    differs: ["sendfile-path"],
  },
];
