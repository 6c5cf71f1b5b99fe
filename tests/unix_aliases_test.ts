/** The aliases of the paths that datagrams are sent to. */

import { PeerAliases } from "../internal/runtime/unix_aliases.ts";
import { assert, assertEquals, assertThrows } from "./deps.ts";
import { haveUnix } from "./helpers/allowed.ts";

Deno.test({
  name: "the oldest alias of a path makes room for a new one",
  ignore: !haveUnix,
  fn() {
    const aliases = new PeerAliases();
    try {
      const first = aliases.of("/tmp/peer")!;
      assertEquals(Deno.readLinkSync(first), "/tmp/peer");
      let more = 0;
      while (aliases.holds("/tmp/peer", first)) {
        assert(++more < 1000, "the oldest alias is kept");
        aliases.of(`/tmp/peer${more}`);
      }
      assertThrows(() => Deno.lstatSync(first), Deno.errors.NotFound);
      assert(aliases.of("/tmp/peer") !== first); // its name is never used again
    } finally {
      aliases.close();
    }
  },
});
