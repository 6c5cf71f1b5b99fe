/** Receiving from a stream. */

import { b, C, ref, type Scenario } from "../scenario.ts";

export const recv: Scenario[] = [
  {
    name: "recv gives at most what was asked for, and keeps the rest",
    steps: [
      ["x, y = socketpair"],
      ["x.sendall", b("hello world")],
      ["y.recv", 5],
      ["y.recv", 1],
      ["y.recv", 100],
    ],
  },
  {
    name: "recv gives nothing at the end of the stream, again and again",
    steps: [
      ["x, y = socketpair"],
      ["x.sendall", b("last")],
      ["x.close"],
      ["y.recv", 100],
      ["y.recv", 100],
      ["y.recv", 100],
    ],
  },
  {
    name: "recv of no bytes does not wait",
    steps: [["x, y = socketpair"], ["y.recv", 0], ["x.sendall", b("a")], [
      "y.recv",
      0,
    ], ["y.recv", 9]],
  },
  {
    name: "recv refuses a negative size",
    steps: [["x, y = socketpair"], ["y.recv", -1], ["y.recv", "a"]],
  },
  {
    name: "recv with MSG_PEEK leaves the bytes",
    steps: [
      ["x, y = socketpair"],
      ["x.sendall", b("peek")],
      ["y.recv", 2, C("MSG_PEEK")],
      ["y.recv", 100, C("MSG_PEEK")],
      ["y.recv", 100],
    ],
  },
  {
    name: "recv with MSG_WAITALL waits for all of it",
    steps: [
      ["x, y = socketpair"],
      ["x.sendall", b("one")],
      ["&more = y.recv", 6, C("MSG_WAITALL")],
      ["x.sendall", b("two!")],
      ["join", "more"],
      ["y.recv", 10],
    ],
  },
  {
    name: "recv with MSG_WAITALL ends with the stream",
    steps: [
      ["x, y = socketpair"],
      ["x.sendall", b("short")],
      ["x.close"],
      ["y.recv", 60, C("MSG_WAITALL")],
      ["y.recv", 60, C("MSG_WAITALL")],
    ],
  },
  {
    name: "recv with MSG_DONTWAIT does not wait",
    steps: [
      ["x, y = socketpair"],
      ["y.recv", 10, C("MSG_DONTWAIT")],
      ["x.sendall", b("now")],
      ["y.recv", 10],
      ["y.recv", 10, C("MSG_DONTWAIT")],
      ["x.close"],
      ["y.recv", 10],
    ],
  },
  {
    name: "recv on a socket that is closed, or not connected",
    steps: [
      ["x, y = socketpair"],
      ["y.close"],
      ["y.recv", 1],
      ["s = socket"],
      ["s.recv", 1],
      ["s.recvfrom", 1],
    ],
  },
  {
    name: "recv_into fills a buffer",
    steps: [
      ["x, y = socketpair"],
      ["buffer = bytearray", 8],
      ["x.sendall", b("into a buffer")],
      ["y.recv_into", ref("buffer")],
      ["show", "buffer"],
      ["y.recv_into", ref("buffer"), 2],
      ["show", "buffer"],
      ["y.recv_into", ref("buffer"), 9],
      ["y.recv_into", ref("buffer"), -1],
      ["y.recv_into", ref("buffer"), 0],
      ["show", "buffer"],
      ["x.close"],
      ["y.recv_into", ref("buffer")],
    ],
  },
  {
    name: "recvfrom on a stream",
    steps: [
      ["x, y = socketpair"],
      ["x.sendall", b("stream")],
      ["y.recvfrom", 3],
      ["buffer = bytearray", 10],
      ["y.recvfrom_into", ref("buffer")],
      ["show", "buffer"],
    ],
  },
];
