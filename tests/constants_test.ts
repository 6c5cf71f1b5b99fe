import * as socket from "../socket.ts";
import { assert, assertEquals } from "./deps.ts";
import { havePython, python } from "./python.ts";

/** The constants that are exported. */
const CONSTANTS = Object.entries(socket).filter(([, value]) =>
  typeof value === "number"
) as [string, number][];

Deno.test("the constants that every program needs are there", () => {
  const names = new Set(CONSTANTS.map(([name]) => name));
  for (
    const name of [
      ...["AF_INET", "AF_INET6", "AF_UNIX", "SOCK_STREAM", "SOCK_DGRAM"],
      ...["SOL_SOCKET", "SO_REUSEADDR", "SHUT_RD", "SHUT_WR", "SHUT_RDWR"],
      ...["IPPROTO_TCP", "IPPROTO_UDP", "IPPROTO_IPV6"],
    ]
  ) assert(names.has(name), name);
});

Deno.test({
  name: "constants are CPython's",
  ignore: !havePython(),
  async fn() {
    const names = CONSTANTS.map(([name]) => [name]);
    const body = "return getattr(socket, row[0], None)";
    assertEquals(
      await python(body, names),
      CONSTANTS.map(([, value]) => value),
    );
  },
});
