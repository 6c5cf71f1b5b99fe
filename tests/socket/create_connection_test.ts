/** createConnection(): the race between the addresses of a host, its ports, and its signal. */

import { promises as dns } from "node:dns";
import {
  createConnection,
  type CreateConnectionOptions,
  createServer,
  GaiError,
  type OSError,
  type Socket,
} from "../../socket.ts";
import { assertEquals, assertRejects, assertStrictEquals } from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { assertNoneLeft, descriptors } from "../helpers/descriptors.ts";
import { resolveTo } from "../helpers/resolver.ts";
import { deadPort, portOf } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { until, within } from "../helpers/within.ts";

const linux = Deno.build.os === "linux"; // other systems queue more than the backlog, and have one loopback address

/** Listeners that never answer: their queues are full, and Linux drops further connections. */
class BlackHoles implements Disposable {
  readonly #sockets: Socket[] = [];
  readonly port: number;

  private constructor(port: number) {
    this.port = port;
  }

  /** Opens a black hole at each address, on one port. */
  static async open(...hosts: string[]): Promise<BlackHoles> {
    using first = createServer(["127.0.0.1", 0]);
    const holes = new BlackHoles(portOf(first.getsockname()));
    first.close();
    await first.waitClosed();
    for (const host of hosts) {
      const address = [host, holes.port] as const;
      holes.#sockets.push(createServer(address, { backlog: 1 }));
      for (let each = 0; each < 2; each++) {
        holes.#sockets.push(await createConnection(address));
      }
    }
    return holes;
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.close();
  }
}

/** Returns the number of connections to a port that are being made, as Linux lists them. */
function attempts(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const synSent = new RegExp(`^ *\\d+: \\S+ [0-9A-F]{8}:${hex} 02 `, "gm");
  return Deno.readTextFileSync("/proc/net/tcp").match(synSent)?.length ?? 0;
}

/** Defines a test with black holes at `hosts`, which checks that no descriptor is left. */
function withHoles(
  name: string,
  hosts: string[],
  fn: (port: number) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: !linux || !granted("read"),
    async fn() {
      await createConnection(["127.0.0.1", deadPort()]).catch(() => {}); // opens the descriptors that Deno keeps
      using holes = await BlackHoles.open(...hosts);
      const before = descriptors();
      await fn(holes.port);
      await assertNoneLeft(before);
    },
  });
}

/** Connects to a name, and closes at once. Returns the address that won. */
async function winner(
  port: number,
  options: CreateConnectionOptions = {},
): Promise<unknown> {
  using socket = await within(createConnection(["many.test", port], options));
  return socket.getpeername();
}

withHoles(
  "createConnection() tries the next address while one does not answer",
  ["127.0.0.1"],
  async (port) => {
    using good = createServer(["127.0.0.2", port]);
    using _ = resolveTo("127.0.0.1", "127.0.0.2");
    const address = ["127.0.0.2", port];
    assertEquals(await winner(port, { happyEyeballsDelay: 0.01 }), address);
    good.close();
    await good.waitClosed();
  },
);

withHoles("createConnection() tries another address at once when one fails", [
  "127.0.0.3",
], async (port) => {
  using good = createServer(["127.0.0.2", port]);
  using _ = resolveTo("127.0.0.1", "127.0.0.2", "127.0.0.3"); // nobody listens at the first one
  const address = ["127.0.0.2", port];
  assertEquals(await winner(port, { happyEyeballsDelay: 3600 }), address);
  good.close();
  await good.waitClosed();
});

withHoles(
  "createConnection() closes all connections but one",
  [],
  async (port) => {
    const hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
    const listeners = hosts.map((host) => createServer([host, port]));
    using _ = resolveTo(...hosts);
    for (let round = 0; round < 20; round++) {
      await winner(port, { happyEyeballsDelay: 0 });
    }
    for (const listener of listeners) {
      listener.close();
      await listener.waitClosed();
    }
  },
);

withHoles("createConnection() has its timeout for each attempt", [
  "127.0.0.1",
  "127.0.0.2",
], async (port) => {
  using _ = resolveTo("127.0.0.1", "127.0.0.2");
  for (const happyEyeballsDelay of [null, 0]) {
    const options = { timeout: 0.02, allErrors: true, happyEyeballsDelay };
    const error = await assertRejects(
      () => winner(port, options),
      AggregateError,
    );
    assertEquals(error.errors.map(({ code }) => code), [
      "ETIMEDOUT",
      "ETIMEDOUT",
    ]);
  }
});

withHoles("createConnection() ends all attempts when its signal aborts", [
  "127.0.0.1",
  "127.0.0.2",
], async (port) => {
  using _ = resolveTo("127.0.0.1", "127.0.0.2");
  const controller = new AbortController();
  const { signal } = controller;
  const connecting = winner(port, { signal, happyEyeballsDelay: 0 });
  connecting.catch(() => {});
  await until(() => attempts(port) === 2);
  const reason = new Error("enough");
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => connecting), reason);
  assertStrictEquals(
    await assertRejects(() => winner(port, { signal })),
    reason,
  ); // aborted before
});

withHoles(
  "createConnection() tries several addresses from one source port",
  ["127.0.0.1"],
  async (port) => {
    using good = createServer(["127.0.0.2", port]);
    using _ = resolveTo("127.0.0.1", "127.0.0.2");
    const sourceAddress: [string, number] = ["127.0.0.9", deadPort()];
    const options = { sourceAddress, timeout: 1, happyEyeballsDelay: 0 };
    using client = await within(createConnection(["many.test", port], options));
    assertEquals(client.getsockname(), sourceAddress);
    assertEquals(client.getpeername(), ["127.0.0.2", port]);
    good.close();
    await good.waitClosed();
  },
);

/** Returns the addresses that were tried, in order, on a port where nobody listens. */
async function tried(options: CreateConnectionOptions = {}): Promise<string[]> {
  const address = ["many.test", deadPort()] as const;
  const call = () => createConnection(address, { ...options, allErrors: true });
  const { errors } = await assertRejects(() => within(call()), AggregateError);
  return errors.map(({ address }: OSError) => address!.replace(/:\d+$/, ""));
}

Deno.test("createConnection() alternates between the families, that of the first address first", async () => {
  using _ = resolveTo("127.0.0.1", "127.0.0.2", "127.0.0.3", "::1");
  assertEquals(await tried(), ["127.0.0.1", "[::1]", "127.0.0.2", "127.0.0.3"]);
});

Deno.test("createConnection() tries only the family of its source address", async () => {
  using _ = resolveTo("::1", "127.0.0.1", "127.0.0.2");
  const of4 = ["127.0.0.1", "127.0.0.2"];
  assertEquals(await tried({ sourceAddress: ["127.0.0.1", 0] }), of4);
  assertEquals(await tried({ sourceAddress: ["::1", 0] }), ["[::1]"]);
  assertEquals(await tried({ sourceAddress: ["", 0] }), ["[::1]", ...of4]);
});

Deno.test("createConnection() names a source address of another family", async () => {
  const sourceAddress = ["::1", 0] as const;
  await assertRejects(
    () => within(createConnection(["127.0.0.1", 9], { sourceAddress })),
    GaiError,
    "AF_INET6",
  );
});

Deno.test("createConnection() accepts a port as digits", async () => {
  using listener = createServer(["127.0.0.1", 0]);
  const [host, port] = listener.getsockname() as [string, number];
  for (const service of [`${port}`, ` ${port}`, `+${port}`, `0${port}`]) { // as getaddrinfo(3)
    using client = await within(createConnection([host, service]));
    assertEquals(client.getpeername(), [host, port]);
  }
});

Deno.test("createConnection() accepts the name of a service as port", async () => {
  for (const [service, port] of [["gopher", 70], ["", 0]]) {
    const error = await assertRejects(
      () => within(createConnection(["127.77.0.1", String(service)])),
    ) as OSError;
    assertEquals(error.code, "ECONNREFUSED");
    assertEquals(error.address, `127.77.0.1:${port}`);
  }
  for (const service of ["tftp", "HTTP", "80 ", "-1", "65536"]) { // tftp is UDP's
    const call = () => createConnection(["localhost", service]);
    assertEquals(await codeOf(call), "EAI_SERVICE", service);
  }
});

Deno.test("createConnection() ends when its signal aborts during the look-up", async () => {
  const { lookup } = dns;
  const asked = Promise.withResolvers<void>();
  Object.assign(dns, {
    lookup: () => {
      asked.resolve();
      return Promise.withResolvers().promise;
    },
  });
  try {
    const controller = new AbortController();
    const { signal } = controller;
    const call = createConnection(["slow.test", 80], { signal });
    call.catch(() => {});
    await within(asked.promise);
    controller.abort();
    const error = await assertRejects(() => within(call), DOMException);
    assertEquals(error.name, "AbortError");
  } finally {
    Object.assign(dns, { lookup });
  }
});

Deno.test("createConnection() refuses an invalid signal or delay", async () => {
  const address = ["127.0.0.1", deadPort()] as const;
  const signal = {} as AbortSignal;
  const calls = [
    [{ signal }, TypeError, "signal"],
    [
      { happyEyeballsDelay: "1" as unknown as number },
      TypeError,
      "happyEyeballsDelay",
    ],
    [{ happyEyeballsDelay: -1 }, RangeError, "got -1"],
    [{ happyEyeballsDelay: NaN }, RangeError, "got NaN"],
  ] as const;
  for (const [options, type, text] of calls) {
    await assertRejects(() => createConnection(address, options), type, text);
  }
});
