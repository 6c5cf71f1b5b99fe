/** The functions of the module. */

import { b, C, type Scenario, type Step } from "../scenario.ts";

const each = (name: string, values: Step[1][]): Step[] =>
  values.map((value) => [name, value] as Step);

export const functions: Scenario[] = [
  {
    name: "byte order",
    steps: [
      ...each("htons", [0, 1, 0x1234, 65535, 65536, -1]),
      ...each("ntohs", [1, 65536]),
      ...each("htonl", [1, 0x12345678, 4294967295, 4294967296, -1]),
      ...each("ntohl", [1, -1]),
    ],
  },
  {
    name: "addresses of IPv4",
    steps: [
      ...each("inet_aton", [
        "127.0.0.1",
        "1.2",
        "0x7f.1",
        "010.0.0.1",
        "256.1.1.1",
        "",
        "a",
      ]),
      ...each("inet_ntoa", [b("\x7f\0\0\x01"), b("abc")]),
      ["inet_pton", C("AF_INET"), "127.0.0.1"],
      ["inet_pton", C("AF_INET"), "127.1"],
      ["inet_ntop", C("AF_INET"), b("\x01\x02\x03\x04")],
      ["inet_ntop", C("AF_INET"), b("\x01")],
    ],
    differs: ["packed-length"],
  },
  {
    name: "addresses of IPv6",
    steps: [
      ["inet_pton", C("AF_INET6"), "::1"],
      ["inet_pton", C("AF_INET6"), "1:2:3:4:5:6:7:8"],
      ["inet_pton", C("AF_INET6"), "::ffff:1.2.3.4"],
      ["inet_pton", C("AF_INET6"), ":::"],
      ["inet_pton", C("AF_UNIX"), "::1"],
      ["inet_ntop", C("AF_INET6"), b("\0".repeat(15) + "\x01")],
      ["inet_ntop", C("AF_INET6"), b("\0")],
    ],
  },
  {
    name: "names of hosts",
    steps: [
      ["gethostbyname", "127.0.0.1"],
      ["gethostbyname", "localhost"],
      ["gethostbyname", ""],
      ["gethostbyname", "no.such.host.invalid"],
      ["getfqdn", "127.0.0.1"],
    ],
  },
  {
    name: "getaddrinfo",
    steps: [
      ["getaddrinfo", "127.0.0.1", 80],
      ["getaddrinfo", "127.0.0.1", "http", 0, 1],
      ["getaddrinfo", "::1", 80, 0, 1],
      ["getaddrinfo", "127.0.0.1", 80, 10],
      ["getaddrinfo", null, 80, 2, 1],
      ["getaddrinfo", "127.0.0.1", "nosuchservice"],
    ],
    differs: ["getaddrinfo-raw"],
  },
  {
    name: "getnameinfo",
    steps: [
      ["getnameinfo", ["127.0.0.1", 80], C("NI_NUMERICHOST|NI_NUMERICSERV")],
      ["getnameinfo", ["127.0.0.1", 80], C("NI_NUMERICHOST")],
      ["getnameinfo", ["127.0.0.1", 53], C("NI_NUMERICHOST|NI_DGRAM")],
      ["getnameinfo", ["::1", 80], C("NI_NUMERICHOST|NI_NUMERICSERV")],
      ["getnameinfo", ["name", 80], C("NI_NUMERICSERV")],
      ["getnameinfo", "127.0.0.1", 0],
    ],
  },
  {
    name: "the host's own name is a text",
    steps: [["name = gethostname"], ["gethostbyname", "127.0.0.1"]],
  },
];
