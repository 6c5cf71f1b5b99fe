/**
 * The setting `acceptIn`: the overrides and settings that are refused if children or workers accept, by name and
 * reason.
 */

import {
  AsyncTCPServer,
  ForkingMixIn,
  ForkingTCPServer,
  ForkingUDPServer,
  ForkingUnixStreamServer,
  ProxyProtocolMixIn,
  StreamRequestHandler,
  TCPServer,
  ThreadingMixIn,
  ThreadingTCPServer,
  ThreadingUDPServer,
  ThreadingUnixStreamServer,
} from "../../mod.ts";
import { createServer } from "../../socket.ts";
import { PROTOCOL_TLS_SERVER, SSLContext } from "../../ssl.ts";
import { assertEquals, assertThrows } from "../deps.ts";
import { mayFork } from "../helpers/allowed.ts";

export class Silent extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;
}

type Address = [string, number];
const LOOPBACK: Address = ["127.0.0.1", 0];

/** The hooks that are not called if others accept. */
const HOOKS = [
  "getRequest",
  "verifyRequest",
  "verifyPeer",
  "rejectRequest",
  "processRequest",
  "processRequestTask",
  "finishRequest",
  "shutdownRequest",
  "closeRequest",
  "handleAcceptError",
  "handleShortage",
  "handleHandshakeError",
];

// Programs with mistakes do not pass the type checker.
// deno-lint-ignore no-explicit-any
type Any = any;

const PLACES: [place: string, MixIn: Any][] = [
  ["children", ForkingMixIn],
  ["workers", ThreadingMixIn],
];

/** Returns the message of the error that refuses a server. */
function refusal(
  Server: Any,
  options: object,
  address: unknown = LOOPBACK,
): string {
  return assertThrows(() => new Server(address, Silent, options), TypeError)
    .message;
}

Deno.test({
  name:
    "acceptIn refuses an override that would not be called, above and below the mix-in",
  ignore: !mayFork,
  fn() {
    for (const [place, MixIn] of PLACES) {
      for (const hook of HOOKS) {
        class Above extends MixIn(TCPServer) {}
        class Base extends TCPServer {}
        for (const { prototype } of [Above, Base]) {
          Object.defineProperty(prototype, hook, { value() {} });
        }
        class Below extends MixIn(Base) {}
        class Deep extends Above {}
        for (const Class of [Above, Below, Deep]) {
          assertEquals(
            refusal(Class, { acceptIn: place }),
            `Cannot make a ${Class.name} with acceptIn "${place}": it overrides ${hook}, ` +
              `which is not called if the ${place} accept; use acceptIn "parent"`,
          );
        }
      }
    }
  },
});

Deno.test({
  name:
    "acceptIn refuses a setting that it cannot enforce, as an option and as a static field",
  ignore: !mayFork,
  fn() {
    const rows: [name: string, value: unknown, reason: string][] = [
      [
        "maxConnectionsPerClient",
        3,
        "none of the $ knows the clients of the others",
      ],
      [
        "maxConnectionsPolicy",
        "reject",
        "none of the $ knows whether the others are full",
      ],
      ["maxAcceptRate", 10, "none of the $ knows when the others accept"],
      [
        "ssl",
        new SSLContext(PROTOCOL_TLS_SERVER),
        "the server makes the handshakes, and the $ get the connections",
      ],
    ]; // deno-fmt-ignore
    for (const [place, MixIn] of PLACES) {
      for (const [name, value, reason] of rows) {
        if (place === "workers" && name === "maxConnectionsPolicy") continue; // workers share their places
        class Server extends MixIn(TCPServer) {}
        class Static extends Server {}
        Object.defineProperty(Static, name, { value, enumerable: true });
        const why = reason.replace("$", place);
        for (
          const [Class, options] of [
            [Server, { acceptIn: place, [name]: value }],
            [Static, { acceptIn: place }],
          ] as const
        ) {
          assertEquals(
            refusal(Class, options),
            `Cannot make a ${Class.name} with acceptIn "${place}": it cannot have ${name}, because ${why}; use acceptIn "parent"`,
          );
        }
      }
      for (
        const Class of [
          MixIn(ProxyProtocolMixIn(TCPServer)),
          ProxyProtocolMixIn(MixIn(TCPServer)),
        ]
      ) {
        assertEquals(
          refusal(Class, { acceptIn: place, proxyTrusted: ["127.0.0.1"] }),
          `Cannot make a ${Class.name} with acceptIn "${place}": it cannot have proxyTrusted, because the server reads PROXY headers, and the ${place} get the connections; use acceptIn "parent"`,
        );
      }
    }
  },
});

Deno.test({
  name: "acceptIn refuses the place of another mix-in",
  ignore: !mayFork,
  fn() {
    class Placed extends TCPServer {
      static acceptIn = "children";
    }
    const cure =
      'use ThreadingMixIn for "workers", and ForkingMixIn for "children"';
    for (const place of ["workers", "children", "elsewhere"]) {
      for (const Server of [TCPServer, AsyncTCPServer]) {
        assertEquals(
          refusal(Server, { acceptIn: place }),
          `Cannot set acceptIn: ${Server.name} has no workers and no children, so it must be "parent", got "${place}"; ${cure}`,
        );
      }
    }
    assertEquals(
      refusal(Placed, {}),
      `Cannot set acceptIn: Placed has no workers and no children, so it must be "parent", got "children"; ${cure}`,
    );
  },
});

Deno.test({
  name: "acceptIn refuses datagrams, and the sockets that cannot be shared",
  ignore: !mayFork,
  fn() {
    const datagrams =
      "that is for servers of streams, and this one is for datagrams";
    class ForkingDatagrams extends ForkingUDPServer {}
    class ThreadingDatagrams extends ThreadingUDPServer {}
    assertEquals(
      refusal(ForkingDatagrams, { acceptIn: "children" }),
      `Cannot make a ForkingDatagrams with acceptIn "children": ${datagrams}`,
    );
    assertEquals(
      refusal(ThreadingDatagrams, { acceptIn: "workers" }),
      `Cannot make a ThreadingDatagrams with acceptIn "workers": ${datagrams}`,
    );
    class Paths extends ThreadingUnixStreamServer {}
    assertEquals(
      refusal(Paths, { acceptIn: "workers" }, "/tmp/never-bound"),
      'Cannot make a Paths with acceptIn "workers": it cannot have addressFamily, because a Unix socket cannot be shared by the workers; use acceptIn "parent"',
    );
    class ForkingPaths extends ForkingUnixStreamServer {}
    assertEquals(
      refusal(ForkingPaths, { acceptIn: "children" }, "/tmp/never-bound"),
      'Cannot make a ForkingPaths with acceptIn "children": it cannot have addressFamily, because Deno removes the path of a socket that only the children accept on; use acceptIn "parent"',
    );
    using bound = createServer(LOOPBACK);
    class Threads extends ThreadingTCPServer {}
    assertEquals(
      refusal(Threads, { acceptIn: "workers" }, bound),
      'Cannot make a Threads with acceptIn "workers": it cannot have a socket that is bound already, because each worker opens its own; use acceptIn "parent"',
    );
    class Forks extends ForkingTCPServer {}
    assertEquals(
      refusal(Forks, { acceptIn: "children" }, bound),
      'Cannot make a Forks with acceptIn "children": it cannot have a socket that is bound already, because this process has accepted on it, and the children could not get that; use acceptIn "parent"',
    );
    assertEquals(
      refusal(Forks, { acceptIn: "children", allowReusePort: true }),
      'Cannot make a Forks with acceptIn "children": it cannot have allowReusePort, because such a socket cannot be passed to the children; use acceptIn "parent"',
    );
  },
});

Deno.test({
  name: "acceptIn accepts the places of its mix-in, and nothing else",
  ignore: !mayFork,
  async fn() {
    assertEquals(
      refusal(ForkingTCPServer, { acceptIn: "workers" }),
      'Cannot set acceptIn: it must be "parent" or "children", got "workers"',
    );
    assertEquals(
      refusal(ThreadingTCPServer, { acceptIn: "children" }),
      'Cannot set acceptIn: it must be "parent" or "workers", got "children"',
    );
    for (const Server of [ForkingTCPServer, ThreadingTCPServer]) {
      await using server = new Server(LOOPBACK, Silent, { acceptIn: "parent" });
      assertEquals(Server.acceptIn, "parent");
      assertEquals(server.acceptIn, "parent");
      server.maxConnectionsPerClient = 3; // the server itself accepts
      server.maxAcceptRate = 10;
    }
  },
});
