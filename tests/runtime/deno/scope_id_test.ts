/** Link-local IPv6 addresses keep their scope, as in Python. */

import type { TransportAddr } from "../../../socket.ts";
import {
  scopedDatagram,
  scopedListener,
  scopedStream,
  scopeOf,
} from "../../../internal/runtime/deno/scope_id.ts";
import { assert, assertEquals, assertStrictEquals } from "../../deps.ts";
import { have, mayFork } from "../../helpers/allowed.ts";
import { boundedCommand } from "../../helpers/within.ts";

/** Runs a command with a link-local address on the loopback, in a network of its own. */
function inOwnNetwork(...command: string[]): Deno.Command {
  const setup =
    'ip link set lo up && ip -6 addr add fe80::2/64 dev lo nodad && exec "$@"';
  return boundedCommand("unshare", {
    args: ["-rn", "sh", "-c", setup, "sh", ...command],
    stderr: "inherit",
  });
}

const mayUnshare = mayFork && Deno.build.os === "linux" && have("unshare") &&
  have("ip") && inOwnNetwork("true").outputSync().success;

const program =
  new URL("../../testdata/scope_program.ts", import.meta.url).pathname;

for (const flags of [["--unstable-net"], []]) {
  Deno.test({
    name: `addresses on fe80::2%lo have their scope, deno run ${flags}`,
    ignore: !mayUnshare,
    async fn() {
      const { stdout } = await inOwnNetwork(
        ...[Deno.execPath(), "run", "-A", ...flags, program],
      ).output();
      const seen = Object.entries<[string, number]>(
        JSON.parse(new TextDecoder().decode(stdout)),
      );
      assertEquals(seen.length, 12);
      for (const [name, [host, port]] of seen) {
        assertEquals(host, "fe80::2%lo", name);
        assert(port > 0);
      }
    },
  });
}

const ADDRESSES: [given: string, scoped: string][] = [
  ["fe80::1", "fe80::1%eth0"],
  ["FEBF::1", "FEBF::1%eth0"],
  ["fe80::1%eth1", "fe80::1%eth1"],
  ["fec0::1", "fec0::1"],
  ["::1", "::1"],
  ["::", "::"],
];

Deno.test("scopeOf() is what follows the address", () => {
  assertEquals(scopeOf("fe80::1%eth0"), "%eth0");
  assertEquals(scopeOf("fe80::1"), "");
});

Deno.test("a transport gets the scope of its interface if an address is link-local and has none", async () => {
  for (const [given, hostname] of ADDRESSES) {
    const addr: TransportAddr = { transport: "tcp", hostname: given, port: 1 };
    const expected = { ...addr, hostname };
    const stream = () => ({
      localAddr: addr,
      remoteAddr: addr,
      read: () => Promise.resolve(null),
      write: () => Promise.resolve(0),
      closeWrite: () => Promise.resolve(),
      close() {},
    });
    const { localAddr, remoteAddr } = scopedStream(stream(), "%eth0");
    assertEquals(localAddr, expected, "localAddr");
    assertEquals(remoteAddr, expected, "remoteAddr");
    const listener = {
      addr,
      accept: () => Promise.resolve(stream()),
      close() {},
    };
    scopedListener(listener, "%eth0");
    assertEquals(listener.addr, expected);
    assertEquals((await listener.accept()).remoteAddr, expected);
    const received: [Uint8Array, TransportAddr] = [new Uint8Array(1), addr];
    const datagram = {
      addr,
      receive: (_p?: Uint8Array) => Promise.resolve(received),
      send: () => Promise.resolve(1),
      close() {},
    };
    scopedDatagram(datagram, "%eth0");
    assertEquals(datagram.addr, expected);
    const into = new Uint8Array(9);
    assertEquals(await datagram.receive(into), [received[0], expected]);
    const same = stream();
    assertStrictEquals(scopedStream(same, "").localAddr, addr);
  }
});
