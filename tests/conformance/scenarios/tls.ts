/** The scenarios of TCP servers once more, over TLS: the fifth transport. */

import { addr, b, C, type Scenario, type Step } from "../scenario.ts";

/**
 * The scenarios that would compare nothing: a handshake needs a server that serves, and CPython makes it before
 * `verify_request`, takes no flags, and has no half-close over TLS (see {@linkcode OWN}).
 */
const OTHERWISE = [
  /^shutdown ends serve_forever/,
  /^a client that comes and goes/,
  /refuses a request$|^a request that is refused/,
  /the calls that a handler makes/,
  /^(Threading|Forking)TCPServer( with |'s children|: the hooks)/, // of no bytes, and each starts a worker or a child
];

/** Returns the scenarios with a TCP server as scenarios over TLS, and those of TLS alone. */
export function overTls(scenarios: Scenario[]): Scenario[] {
  const same = scenarios.flatMap((scenario): Scenario[] => {
    const { name, server, steps } = scenario;
    if (server?.transport !== "TCPServer" || server.manual) return [];
    if (OTHERWISE.some((pattern) => pattern.test(name))) return [];
    if (steps.some(([what]) => what.endsWith(".shutdown"))) return [];
    return [{
      ...scenario,
      name: `${name}, over TLS`,
      server: { ...server, transport: "TLSServer" },
      steps: steps.map(withTls),
    }];
  });
  return [...same, ...OWN];
}

/** Has a client that connects make a handshake. */
function withTls([what, ...args]: Step): Step {
  return [what.replace(/create_connection$/, "create_tls_connection"), ...args];
}

const OWN: Scenario[] = [
  {
    name: "a client that ends its side and reads on",
    server: {
      transport: "TLSServer",
      way: "",
      handler: {
        base: "StreamRequestHandler",
        handle: [["rfile.read"], ["wfile.write", b("all")]],
      },
    },
    steps: [
      ["c = create_tls_connection", addr("server")],
      ["c.sendall", b("question")],
      ["c.shutdown", C("SHUT_WR")],
      ["drain", "c"],
    ],
    differs: ["tls-half-close"],
  },
  {
    name: "a handler that looks at what is next",
    server: {
      transport: "TLSServer",
      way: "",
      handler: {
        base: "BaseRequestHandler",
        handle: [["request.recv", 4, C("MSG_PEEK")], ["tell"]],
      },
    },
    steps: [
      ["c = create_tls_connection", addr("server")],
      ["c.sendall", b("abcd")],
      ["drain", "c"],
    ],
    differs: ["tls-recv-flags"],
  },
  {
    name: "a client that the server refuses",
    server: {
      transport: "TLSServer",
      way: "",
      handler: { base: "BaseRequestHandler" },
      hooks: { verify_request: false },
    },
    steps: [["c = create_tls_connection", addr("server")]],
    differs: ["tls-verify-first"],
  },
];
