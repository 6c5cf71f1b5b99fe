/** Unix datagrams to peers that do not read. */

import process from "node:process";
import {
  AsyncUnixDatagramServer,
  ForkingUnixDatagramServer,
  ThreadingUnixDatagramServer,
} from "../../mixins.ts";
import { UnixDatagramServer } from "../../server.ts";
import {
  AF_UNIX,
  type OSError,
  SOCK_DGRAM,
  Socket,
  socketpair,
  TimeoutError,
} from "../../socket.ts";
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { granted, haveUnix, unstableNet } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { serving } from "../helpers/servers.ts";
import { newPath } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { boundedCommand, until, within } from "../helpers/within.ts";
import {
  AnswersDatagrams,
  BlockingLimitedSends,
  LimitedSends,
} from "../testdata/datagram_handlers.ts";

const ignore = !haveUnix || !unstableNet;

function bound(path = newPath()): Socket {
  const socket = new Socket(AF_UNIX, SOCK_DGRAM);
  socket.bind(path);
  return socket;
}

/** Sends to a peer until its queue is full; returns how many datagrams it took. */
async function fill(from: Socket, to: string): Promise<number> {
  const timeout = from.gettimeout();
  from.setblocking(false);
  let sent = 0;
  while (await codeOf(() => from.sendto(bytes(`${sent}`), to)) === undefined) {
    sent++;
  }
  from.settimeout(timeout);
  return sent;
}

/** The processor time that this process has used, in ms. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Sockets whose own name is a path, and which have an abstract one; and peers of both kinds. */
const NAMES: Record<string, () => Socket> = {
  "a path": bound,
  "an abstract name": () => bound(""),
};

for (const [own, bindOwn] of Object.entries(NAMES)) {
  Deno.test(`Socket at ${own} ends a send to a full Unix peer by its limit`, {
    ignore,
  }, async () => {
    using peer = bound();
    using sender = bindOwn();
    const sent = await fill(sender, peer.getsockname() as string);
    assert(sent > 0);
    const call = () => sender.sendto(bytes("late"), peer.getsockname());
    sender.setblocking(false);
    assertEquals(await codeOf(call), "EAGAIN");
    sender.settimeout(0.05);
    const error = await assertRejects(call, TimeoutError);
    assertEquals(error.code, "ETIMEDOUT");
    sender.settimeout(20);
    const waits = sender.sendto(bytes("in time"), peer.getsockname());
    for (let i = 0; i < sent; i++) {
      assertEquals(text(await within(peer.recv(99))), `${i}`);
    }
    assertEquals(await within(waits), 7);
    assertEquals(text(await within(peer.recv(99))), "in time"); // what was given up did not come after all
  });

  Deno.test(
    `Socket at ${own} receives, and sends to others, while a Unix peer is full`,
    { ignore },
    async () => {
      using full = bound();
      using other = bound();
      using sender = bindOwn();
      const sent = await fill(sender, full.getsockname() as string);
      const waits = [1, 2, 3].map((i) =>
        sender.sendto(bytes(`later ${i}`), full.getsockname())
      );
      for (let i = 0; i < 30; i++) {
        await within(sender.sendto(bytes("question"), other.getsockname()));
        const [data, from] = await within(other.recvfrom(99));
        assertEquals(text(data), "question");
        await within(other.sendto(bytes("answer"), from!));
        assertEquals(text(await within(sender.recv(99))), "answer");
      }
      for (let i = 0; i < sent; i++) await within(full.recv(99));
      await within(Promise.all(waits));
      for (const i of [1, 2, 3]) {
        assertEquals(text(await within(full.recv(99))), `later ${i}`); // in their order
      }
    },
  );

  Deno.test(
    `Socket at ${own} ends a waiting send when it is closed, or the Unix peer is gone`,
    { ignore },
    async () => {
      using peer = bound();
      using sender = bindOwn();
      await fill(sender, peer.getsockname() as string);
      const gone = bound();
      await fill(sender, gone.getsockname() as string);
      const refused = sender.sendto(bytes("x"), gone.getsockname());
      gone.close();
      assertEquals(await codeOf(() => refused), "ECONNREFUSED");
      const closed = [1, 2].map(() =>
        sender.sendto(bytes("x"), peer.getsockname())
      );
      sender.close();
      for (const call of closed) {
        assertEquals(await codeOf(() => call), "EBADF");
      }
    },
  );
}

Deno.test("Socket at a path answers while abstract Unix peers do not read", {
  ignore,
}, async () => {
  using sender = bound();
  using deaf = bound("");
  using other = bound("");
  sender.settimeout(0.05);
  let sent = 0;
  while (
    await codeOf(() => sender.sendto(bytes("x"), deaf.getsockname())) ===
      undefined
  ) sent++;
  assert(sent > 0);
  assertEquals(
    await codeOf(() => sender.sendto(bytes("x"), deaf.getsockname())),
    "ETIMEDOUT",
  );
  sender.settimeout(null);
  for (let i = 0; i < 10; i++) {
    await within(other.sendto(bytes("question"), sender.getsockname()));
    const [, from] = await within(sender.recvfrom(99));
    await within(sender.sendto(bytes("answer"), from!));
    assertEquals(text(await within(other.recv(99))), "answer");
  }
});

Deno.test("Socket waits for a full Unix peer without using the processor", {
  ignore,
}, async () => {
  using peer = bound();
  using sender = bound();
  await fill(sender, peer.getsockname() as string);
  sender.settimeout(1);
  let used = Infinity; // the least of three times: the collector works for what was before
  for (let tries = 0; tries < 3 && used >= 200; tries++) {
    const before = processorTime();
    assertEquals(
      await codeOf(() => sender.sendto(bytes("x"), peer.getsockname())),
      "ETIMEDOUT",
    );
    used = Math.min(used, processorTime() - before);
  }
  assert(used < 200, `${used} ms of 1000`); // a send of Deno's that waits takes 400
});

Deno.test("Socket leaves no alias behind", { ignore }, async () => {
  const directory = Deno.makeTempDirSync();
  const before = Deno.env.get("TMPDIR");
  Deno.env.set("TMPDIR", directory);
  try {
    using peer = bound();
    const sender = bound();
    await within(sender.sendto(bytes("x"), peer.getsockname()));
    assertEquals([...Deno.readDirSync(directory)].length, 1);
    sender.close();
    assertEquals([...Deno.readDirSync(directory)], []);
  } finally {
    if (before === undefined) Deno.env.delete("TMPDIR");
    else Deno.env.set("TMPDIR", before);
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test(
  "Socket sends to more Unix peers than have an alias each",
  { ignore },
  async () => {
    using sender = bound();
    const peers = Array.from({ length: 70 }, () => bound());
    for (let round = 0; round < 2; round++) {
      await within(Promise.all(
        peers.map((peer) => sender.sendto(bytes("x"), peer.getsockname())),
      ));
    }
    for (const peer of peers) {
      for (let round = 0; round < 2; round++) await within(peer.recv(9));
      peer.close();
    }
  },
);

Deno.test("Socket reaches a Unix peer that was replaced at its path", {
  ignore,
}, async () => {
  using sender = bound();
  const path = newPath();
  for (const name of ["first", "second"]) {
    using peer = bound(path);
    await within(sender.sendto(bytes(name), path));
    assertEquals(text(await within(peer.recv(9))), name);
    peer.close();
    assertEquals(
      await codeOf(() => sender.sendto(bytes("x"), path)),
      "ECONNREFUSED",
    );
    Deno.removeSync(path);
    assertEquals(await codeOf(() => sender.sendto(bytes("x"), path)), "ENOENT");
  }
});

Deno.test(
  "socketpair() of Unix datagrams ends a send to a full peer by its limit",
  { ignore },
  async () => {
    const [one, other] = await socketpair(AF_UNIX, SOCK_DGRAM);
    using _one = one;
    using _other = other;
    one.settimeout(0.05);
    let code: string | undefined;
    for (let i = 0; i < 2000 && code === undefined; i++) {
      code = await codeOf(() => one.send(bytes("x")));
    }
    assertEquals(code, "ETIMEDOUT");
  },
);

Deno.test("Socket.close() ends a send that waits for an abstract Unix peer", {
  ignore,
}, async () => {
  using deaf = bound("");
  const sender = bound();
  const sends = Array.from(
    { length: 200 },
    () => sender.sendto(bytes("x"), deaf.getsockname()),
  );
  await within(sends[0]);
  sender.close();
  assertEquals(await codeOf(() => sends.at(-1)), "EBADF");
});

Deno.test("Socket at a path answers a Unix peer that is connected to it", {
  ignore: ignore || !granted("run"),
}, async () => {
  using socket = bound();
  const own = socket.getsockname() as string;
  const program = `import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(${JSON.stringify(newPath())})
s.connect(${JSON.stringify(own)})
s.settimeout(20)
for i in range(3):
    s.send(b"question")
    assert s.recvfrom(99) == (b"answer", ${JSON.stringify(own)})`;
  const python = boundedCommand("python3", { args: ["-c", program] });
  const ended = python.output();
  for (let i = 0; i < 3; i++) {
    const [, from] = await within(socket.recvfrom(99));
    await within(socket.sendto(bytes("answer"), from!));
  }
  const { success, stderr } = await within(ended);
  assert(success, text(stderr));
});

const SERVERS: Record<string, unknown> = {
  UnixDatagramServer,
  AsyncUnixDatagramServer,
  ThreadingUnixDatagramServer,
  ForkingUnixDatagramServer,
};

/** A server that keeps what `handleError` gets. */
function reporting(
  Server: unknown,
  Handler: unknown = AnswersDatagrams,
): [UnixDatagramServer, unknown[]] {
  const errors: unknown[] = [];
  class Reporting extends (Server as typeof UnixDatagramServer) {
    override handleError(
      _request: unknown,
      _address: unknown,
      error: unknown,
    ) {
      errors.push(error);
    }
  }
  const options: object = { maxWorkers: 1, maxChildren: 1 };
  const handler = Handler as typeof AnswersDatagrams;
  return [new Reporting(newPath(), handler, options), errors];
}

/** Sends questions to a server, by their numbers. */
async function ask(server: UnixDatagramServer, from: Socket, count: number) {
  for (let i = 0; i < count; i++) {
    await within(from.sendto(bytes(`${i}`), server.serverAddress));
  }
}

for (const [name, Server] of Object.entries(SERVERS)) {
  const skip = ignore || name.startsWith("Forking") && !granted("run", "env");

  Deno.test(
    `${name} serves others while clients do not read, and ends an answer by the socket's timeout`,
    { ignore: skip },
    async () => {
      const [server, errors] = reporting(Server);
      await serving(server, async () => {
        for (const bindPeer of Object.values(NAMES)) {
          errors.length = 0;
          using deaf = bindPeer();
          using client = bound();
          await ask(server, deaf, 150);
          for (let i = 0; i < 10; i++) await askAndHear(server, client, `${i}`);
          await until(() => errors.length > 0); // more than are kept
          assertAll(errors, "EAGAIN");
          const kept = new Set<string>(); // they come when it reads; tasks and processes have no order
          while (kept.size < 60) kept.add(text(await within(deaf.recv(9))));
          await until(() => server.status.active === 0);
        }
        errors.length = 0;
        server.socket.settimeout(0.05);
        using deaf = bound();
        await ask(server, deaf, 100);
        using client = bound();
        await askAndHear(server, client, "y");
        await until(() => errors.length > 20);
        assertAll(errors, "ETIMEDOUT");
      });
    },
  );
}

/** Sends a datagram to a server, and hears it again. */
async function askAndHear(
  server: UnixDatagramServer,
  client: Socket,
  question: string,
): Promise<void> {
  await within(client.sendto(bytes(question), server.serverAddress));
  assertEquals(text(await within(client.recv(99))), question);
}

function assertAll(errors: unknown[], code: string): void {
  for (const error of errors) assertEquals((error as OSError).code, code);
}

/** The `code` of a DOMException with the name TimeoutError. */
const ABORTED = 23;

const LIMITED: [name: string, Server: unknown, Handler: unknown][] = [
  ["a worker", ThreadingUnixDatagramServer, LimitedSends],
  ["a blocked worker", ThreadingUnixDatagramServer, BlockingLimitedSends],
  ["a child", ForkingUnixDatagramServer, LimitedSends],
];

for (const [name, Server, Handler] of LIMITED) {
  Deno.test(
    `Socket.settimeout() of a datagram handler in ${name} limits its sends, and a signal does`,
    {
      ignore: ignore || name === "a child" && !granted("run", "env"),
    },
    async () => {
      const [server, errors] = reporting(Server, Handler);
      await serving(server, async () => {
        using deaf = bound();
        await ask(server, deaf, 1);
        await until(() => errors.length > 0);
        assertEquals((errors[0] as Error).message, "ETIMEDOUT");
        if (Handler !== LimitedSends) return;
        using other = bound(); // as deaf as the first
        await within(other.sendto(bytes("abort"), server.serverAddress));
        await until(() => errors.length > 1);
        assertEquals((errors[1] as Error).message, `${ABORTED}`);
      });
    },
  );
}

Deno.test(
  "UnixDatagramServer.serverClose() waits for an answer that is kept, and not for ever",
  {
    ignore,
  },
  async () => {
    const server = new UnixDatagramServer(newPath(), AnswersDatagrams);
    const served = server.serveForever();
    using slow = bound();
    using deaf = bound();
    for (const client of [slow, deaf]) await ask(server, client, 30);
    await until(() =>
      server.status.accepted === 60 && server.status.active === 0
    );
    const closed = server.serverClose();
    for (let i = 0; i < 30; i++) {
      assertEquals(text(await within(slow.recv(9))), `${i}`);
    }
    await within(closed);
    await within(served);
    assertEquals(await codeOf(() => server.socket.recv(1)), "EBADF");
  },
);
