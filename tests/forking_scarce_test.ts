/** Forking servers with no descriptor left, in a process of their own that may have few. */

import { assertEquals } from "./deps.ts";
import { CONFIG, decode } from "./forking_helpers.ts";
import { boundedCommand, within } from "./helpers/within.ts";
import { mayFork } from "./helpers/allowed.ts";

Deno.test({
  name:
    "ForkingTCPServer with no descriptor left, here or in a child, loses that connection only",
  ignore: !mayFork || Deno.build.os !== "linux",
  async fn() {
    const program = new URL("./testdata/scarce_server.ts", import.meta.url);
    const run = `${Deno.execPath()} run --no-check -A ${CONFIG} ${program}`;
    const { stdout, stderr } = await within(
      boundedCommand("sh", { args: ["-c", `ulimit -n 80; exec ${run}`] })
        .output(),
    );
    assertEquals(
      [decode(stdout).trim().split("\n").sort(), decode(stderr)],
      [[
        "again true", // after the child had some
        "again true 1", // after this process had some
        "child true",
        "dup EMFILE", // the copy for the child
        "fork EMFILE", // the first child
        "fork EMFILE",
        "fork true", // another child could not start: the first takes the request
        "recvmsg EMFILE", // the child's own
        "server true",
        "start true", // the request of a child that could not start
        "start true",
      ], ""],
    );
  },
});
