/** The ends of a connection: shutdown, close, reset. */

import { addr, b, C, type Scenario } from "../scenario.ts";

const RESET = b("\x01\0\0\0\0\0\0\0"); // struct linger: on, 0 seconds

export const halfClose: Scenario[] = [
  {
    name:
      "shutdown for writing is the end of the stream, and the other way stays open",
    steps: [
      ["x, y = socketpair"],
      ["x.sendall", b("question")],
      ["x.shutdown", C("SHUT_WR")],
      ["drain", "y"],
      ["y.sendall", b("answer")],
      ["x.recv", 10],
      ["y.close"],
      ["x.recv", 10],
    ],
  },
  {
    name: "send after shutdown for writing",
    steps: [
      ["x, y = socketpair"],
      ["x.shutdown", C("SHUT_WR")],
      ["x.send", b("a")],
      ["x.sendall", b("a")],
      ["x.shutdown", C("SHUT_WR")],
    ],
  },
  {
    name: "recv after shutdown for reading",
    steps: [
      ["x, y = socketpair"],
      ["x.shutdown", C("SHUT_RD")],
      ["x.recv", 1],
      ["x.sendall", b("still")],
      ["y.recv", 9],
    ],
  },
  {
    name: "shutdown both ways",
    steps: [
      ["x, y = socketpair"],
      ["x.shutdown", C("SHUT_RDWR")],
      ["x.recv", 1],
      ["x.send", b("a")],
      ["y.recv", 1],
    ],
  },
  {
    name:
      "shutdown of what is not connected, or closed, or in a way that is none",
    steps: [
      ["s = socket"],
      ["s.shutdown", C("SHUT_WR")],
      ["s.shutdown", 9],
      ["s.close"],
      ["s.shutdown", C("SHUT_WR")],
    ],
  },
  {
    name: "shutdown after the peer has gone",
    steps: [["x, y = socketpair"], ["y.close"], ["x.recv", 1], [
      "x.shutdown",
      C("SHUT_WR"),
    ], ["x.recv", 1]],
  },
  {
    name: "close twice, and what is left of a closed socket",
    steps: [
      ["s = socket"],
      ["s.close"],
      ["s.close"],
      ["s.fileno"],
      ["s.getsockname"],
      ["s.getpeername"],
      ["s.gettimeout"],
      ["s.bind", ["127.0.0.1", 0]],
      ["s.listen"],
      ["s.accept"],
      ["s.connect", ["127.0.0.1", 9]],
      ["s.getsockopt", C("SOL_SOCKET"), C("SO_REUSEADDR")],
      ["s.setsockopt", C("SOL_SOCKET"), C("SO_REUSEADDR"), 1],
    ],
  },
  {
    name: "a with block closes",
    steps: [["s = socket"], ["s.fileno"], ["with", "s"], ["s.fileno"], [
      "s.recv",
      1,
    ]],
  },
  {
    name: "close with unread data resets the connection",
    steps: [
      ["l = create_server", ["127.0.0.1", 0]],
      ["c = create_connection", addr("l")],
      ["p, from = l.accept"],
      ["c.sendall", b("unread")],
      ["p.recv", 1, C("MSG_PEEK")],
      ["p.close"],
      ["c.recv", 1],
    ],
    differs: ["close-unread"],
  },
  {
    name: "a reset by SO_LINGER",
    steps: [
      ["l = create_server", ["127.0.0.1", 0]],
      ["c = create_connection", addr("l")],
      ["p, from = l.accept"],
      ["p.setsockopt", C("SOL_SOCKET"), C("SO_LINGER"), RESET],
      ["p.close"],
      ["c.recv", 1],
      ["c.recv", 1],
    ],
    differs: ["no-linger"],
  },
  {
    name: "detach gives the socket away",
    steps: [["x, y = socketpair"], ["d = x.detach"], ["x.fileno"], [
      "x.recv",
      1,
    ], ["x.detach"]],
    differs: ["detach"],
  },
];
