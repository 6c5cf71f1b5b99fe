/** Options. */

import { addr, b, C, type Scenario, type Step, TCP_PAIR } from "../scenario.ts";

const flag = (level: string, name: string): Step[] => [
  ["s.setsockopt", C(level), C(name), 1],
  ["s.getsockopt", C(level), C(name)],
  ["s.setsockopt", C(level), C(name), 0],
  ["s.getsockopt", C(level), C(name)],
];

export const options: Scenario[] = [
  {
    name: "flags of a connected stream",
    steps: [
      ...TCP_PAIR.slice(0, 1),
      ["s = create_connection", addr("l")],
      ...flag("IPPROTO_TCP", "TCP_NODELAY"),
      ...flag("SOL_SOCKET", "SO_KEEPALIVE"),
    ],
  },
  {
    name: "flags of a stream that is not connected yet",
    steps: [
      ["s = socket"],
      ...flag("IPPROTO_TCP", "TCP_NODELAY"),
      ...flag("SOL_SOCKET", "SO_KEEPALIVE"),
      ...flag("SOL_SOCKET", "SO_REUSEADDR"),
    ],
    differs: ["reuse-address"],
  },
  {
    name: "what a socket is",
    steps: [
      ["s = socket"],
      ["s.getsockopt", C("SOL_SOCKET"), C("SO_TYPE")],
      ["s.getsockopt", C("SOL_SOCKET"), C("SO_ACCEPTCONN")],
      ["s.getsockopt", C("SOL_SOCKET"), C("SO_ERROR")],
      ["d = socket", C("AF_INET"), C("SOCK_DGRAM")],
      ["d.getsockopt", C("SOL_SOCKET"), C("SO_TYPE")],
    ],
  },
  {
    name: "an option with a length is bytes",
    steps: [
      ["s = socket"],
      ["s.getsockopt", C("SOL_SOCKET"), C("SO_TYPE"), 4],
      ["s.getsockopt", C("SOL_SOCKET"), C("SO_TYPE"), -1],
    ],
    differs: ["option-bytes"],
  },
  {
    name: "options that are none",
    steps: [["s = socket"], ["s.setsockopt", C("SOL_SOCKET"), 9999, 1], [
      "s.getsockopt",
      C("SOL_SOCKET"),
      9999,
    ], ["s.setsockopt", 12345, 1, 1]],
  },
  {
    name: "values that are none",
    steps: [["s = socket"], [
      "s.setsockopt",
      C("SOL_SOCKET"),
      C("SO_REUSEADDR"),
      "a",
    ], ["s.setsockopt", C("SOL_SOCKET"), C("SO_REUSEADDR"), null]],
  },
  {
    name: "broadcast, and time to live, of a datagram socket",
    steps: [
      ["s = socket", C("AF_INET"), C("SOCK_DGRAM")],
      ["s.bind", ["127.0.0.1", 0]],
      ["s.setsockopt", C("SOL_SOCKET"), C("SO_BROADCAST"), 1],
      ["s.getsockopt", C("SOL_SOCKET"), C("SO_BROADCAST")],
      ["s.setsockopt", C("IPPROTO_IP"), C("IP_MULTICAST_TTL"), 3],
      ["s.getsockopt", C("IPPROTO_IP"), C("IP_MULTICAST_TTL")],
      ["s.setsockopt", C("IPPROTO_IP"), C("IP_MULTICAST_LOOP"), 0],
      ["s.getsockopt", C("IPPROTO_IP"), C("IP_MULTICAST_LOOP")],
    ],
  },
  {
    name: "an option as bytes",
    steps: [["s = socket"], [
      "s.setsockopt",
      C("SOL_SOCKET"),
      C("SO_REUSEADDR"),
      b("\x01\0\0\0"),
    ], ["s.getsockopt", C("SOL_SOCKET"), C("SO_REUSEADDR")]],
  },
];
