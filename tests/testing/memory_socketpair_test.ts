/**
 * Sockets in memory: they behave as a TCP pair, need no permission, and have the faults that a test asks for.
 */

import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_WAITALL,
  select,
  SHUT_RD,
  SHUT_WR,
  SO_KEEPALIVE,
  SO_TYPE,
  SOCK_DGRAM,
  Socket,
  SOL_SOCKET,
  TimeoutError,
} from "../../socket.ts";
import { fragment, memorySocketpair, resume, stall } from "../../testing.ts";
import {
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../deps.ts";
import { granted, withoutPermissions } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { recvToEnd, tcpPair } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { turn } from "../helpers/turns.ts";
import { within } from "../helpers/within.ts";

/** The events on both ends of a connection, in words. */
type Scenario = (client: Socket, server: Socket) => Promise<unknown[]>;

const SCENARIOS: Record<string, Scenario> = {
  "bytes in order, in pieces of the reader's size": async (client, server) => {
    await client.sendall(bytes("hello"));
    await client.sendall(bytes(" world"));
    await client.shutdown(SHUT_WR);
    const first = text(await server.recv(3, MSG_WAITALL));
    return [first, text(await recvToEnd(server)), await server.recv(9)];
  },
  "a half-close lets the other direction go on": async (client, server) => {
    await client.shutdown(SHUT_WR);
    const end = await server.recv(9);
    await server.sendall(bytes("answer"));
    server.close();
    return [end.length, text(await recvToEnd(client))];
  },
  "MSG_PEEK and MSG_DONTWAIT": async (client, server) => {
    const empty = await codeOf(() => server.recv(9, MSG_DONTWAIT));
    await client.sendall(bytes("abc"));
    const peeked = text(await server.recv(2, MSG_PEEK));
    return [empty, peeked, text(await server.recv(9, MSG_DONTWAIT))];
  },
  "a timeout, after which nothing is lost": async (client, server) => {
    server.settimeout(0.01);
    const late = await codeOf(() => server.recv(9));
    await client.sendall(bytes("late"));
    server.settimeout(null);
    return [late, text(await server.recv(9))];
  },
  "select": async (client, server) => {
    const before = await select([server], [client], [], 0);
    await client.sendall(bytes("x"));
    const after = await select([server], [], [], 5);
    return [before.map(({ length }) => length), after[0][0] === server];
  },
  "text files": async (client, server) => {
    await using file = client.makefile("rw");
    await file.write("question\n");
    await file.flush();
    using reader = server.makefile("r");
    const line = await reader.readline();
    await server.sendall(bytes("answer\n"));
    return [line, await file.readline()];
  },
  "sendfile": async (client, server) => {
    const data = bytes("0123456789");
    let at = 0;
    const file = {
      read: (p: Uint8Array) => {
        const piece = data.subarray(at, at + p.length);
        p.set(piece);
        at += piece.length;
        return Promise.resolve(piece.length || null);
      },
      seek: (offset: number) => Promise.resolve(at = offset),
    };
    const sent = await client.sendfile(file, 2, 5);
    client.close();
    return [sent, text(await recvToEnd(server))];
  },
  "the close of the peer": async (client, server) => {
    client.close();
    return [
      await server.recv(9),
      client.fileno(),
      await codeOf(() => client.recv(1)),
    ];
  },
  "a call that waits ends at the close of its socket": async (client) => {
    const waiting = codeOf(() => client.recv(9));
    client.close();
    return [await waiting];
  },
  "shutdown(SHUT_RD)": async (client, server) => {
    await client.sendall(bytes("rest"));
    await select([server], [], [], 5);
    await server.shutdown(SHUT_RD);
    return [text(await server.recv(9)), await server.recv(9)];
  },
  "sends after the end": async (client) => {
    await client.shutdown(SHUT_WR);
    return [await codeOf(() => client.sendall(bytes("x")))];
  },
  "options": (client) => {
    client.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1);
    return Promise.resolve([
      client.getsockopt(SOL_SOCKET, SO_KEEPALIVE),
      client.getsockopt(SOL_SOCKET, SO_TYPE),
    ]);
  },
};

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  Deno.test({
    name: `memorySocketpair() behaves as TCP: ${name}`,
    ignore: !granted("net"),
    async fn() {
      const results: unknown[][] = [];
      for (const open of [tcpPair, memorySocketpair]) {
        const [client, server] = await open();
        using _client = client;
        using _server = server;
        results.push(await within(scenario(client, server)));
      }
      assertEquals(results[1], results[0]);
    },
  });
}

withoutPermissions("memorySocketpair() has the addresses of its family", () => {
  for (const [family, host] of [[AF_INET, "127.0.0.1"], [AF_INET6, "::1"]]) {
    const [client, server] = memorySocketpair({ family: family as number });
    assertEquals(server.getpeername(), client.getsockname());
    assertEquals(client.getpeername(), server.getsockname());
    assertEquals(client.family, family);
    assertEquals(client.getsockname()[0], host);
    for (const socket of [client, server]) socket.close();
  }
  const [client, server] = memorySocketpair({ family: AF_UNIX });
  using _client = client;
  using _server = server;
  assertEquals(client.family, AF_UNIX);
  assertEquals(client.getsockname(), "");
  assertEquals(client.getpeername(), server.getsockname());
  const [another] = memorySocketpair();
  using _another = another;
  using third = memorySocketpair()[0];
  assertEquals(another.getsockname() === third.getsockname(), false);
});

withoutPermissions(
  "memorySocketpair() holds bufferSize bytes, and makes the sender wait",
  async () => {
    const [client, server] = memorySocketpair({ bufferSize: 10 });
    using _client = client;
    using _server = server;
    await client.sendall(bytes("0123456789"));
    let sent = false;
    const more = client.sendall(bytes("abcdefghijkl")).then(() => sent = true);
    for (let turns = 0; turns < 10; turns++) await turn();
    assertEquals(sent, false);
    let got = "";
    while (got.length < 22) got += text(await server.recv(4));
    await within(more);
    assertEquals(got, "0123456789abcdefghijkl");
  },
);

withoutPermissions(
  "memorySocketpair() resets after an abort, or a close with unread bytes",
  async () => {
    for (const end of ["abort", "close"] as const) {
      const [client, server] = memorySocketpair();
      using _server = server;
      await server.sendall(bytes("unread"));
      await client.sendall(bytes("arrived"));
      client[end]();
      assertEquals(text(await server.recv(99)), "arrived");
      assertEquals(await codeOf(() => server.recv(9)), "ECONNRESET", end);
      assertEquals(await server.recv(9), new Uint8Array(0));
      assertEquals(await codeOf(() => server.sendall(bytes("x"))), "EPIPE");
    }
  },
);

withoutPermissions(
  "an abort of a memory socket ends the calls of the other end that wait",
  async () => {
    const [client, server] = memorySocketpair({ bufferSize: 1 });
    using _server = server;
    const reading = codeOf(() => server.recv(9));
    const writing = codeOf(() => server.sendall(bytes("too much")));
    client.abort();
    assertEquals(await reading, "ECONNRESET");
    assertEquals(await writing, "EPIPE");
  },
);

withoutPermissions("fragment() splits what a socket sends", async () => {
  const [client, server] = memorySocketpair();
  using _client = client;
  using _server = server;
  fragment(client);
  await client.sendall(bytes("abc"));
  await server.sendall(bytes("whole"));
  assertEquals(text(await server.recv(9)), "a");
  assertEquals(text(await client.recv(9)), "whole");
  fragment(client, 2);
  assertEquals(text(await server.recv(9)), "bc");
});

withoutPermissions(
  "stall() holds back bytes and their end until resume()",
  async () => {
    const [client, server] = memorySocketpair({ bufferSize: 4 });
    using _client = client;
    using _server = server;
    stall(client);
    await client.sendall(bytes("held"));
    await client.shutdown(SHUT_WR);
    server.settimeout(0.01);
    assertEquals(await codeOf(() => server.recv(9)), "ETIMEDOUT");
    await server.sendall(bytes("free"));
    assertEquals(text(await client.recv(9)), "free");
    resume(client);
    assertEquals(text(await recvToEnd(server)), "held");
  },
);

withoutPermissions(
  "a call of a memory socket keeps the process alive until its timeout",
  async () => {
    const [client, server] = memorySocketpair({ bufferSize: 1 });
    const [datagram, other] = memorySocketpair({ type: SOCK_DGRAM });
    const sockets = [client, server, datagram];
    for (const socket of sockets) socket.settimeout(0.01);
    // Without a deadline of the test: nothing else keeps the process alive.
    await assertRejects(() => server.recv(9), TimeoutError);
    await assertRejects(() => client.sendall(bytes("abc")), TimeoutError);
    await assertRejects(() => datagram.recv(9), TimeoutError);
    for (const socket of [...sockets, other]) socket.close();
  },
);

withoutPermissions(
  "a reset arrives in spite of a stall, and destroys what it held back",
  async () => {
    const [client, server] = memorySocketpair();
    using _server = server;
    stall(client);
    await client.sendall(bytes("lost"));
    client.abort();
    assertEquals(await codeOf(() => server.recv(9)), "ECONNRESET");
  },
);

withoutPermissions("memorySocketpair() exchanges datagrams", async () => {
  for (const family of [AF_INET, AF_INET6, AF_UNIX]) {
    const [client, server] = memorySocketpair({ family, type: SOCK_DGRAM });
    using _client = client;
    using _server = server;
    await client.send(bytes("one"));
    await client.send(bytes(""));
    await client.send(bytes("three"));
    const [data, sender] = await server.recvfrom(99);
    assertEquals(text(data), "one");
    assertEquals(sender, client.getsockname());
    assertEquals(text(await server.recv(9)), "");
    assertEquals(text(await server.recv(2)), "th"); // the rest is dropped
    await server.send(bytes("answer"));
    assertEquals(text(await client.recv(99)), "answer");
    assertEquals(client.getpeername(), server.getsockname());
  }
});

withoutPermissions(
  "memory datagrams are lost on a full queue, and to nobody",
  async () => {
    const [client, server] = memorySocketpair({
      type: SOCK_DGRAM,
      bufferSize: 8,
    });
    using _client = client;
    for (const part of ["12345", "678", "9"]) await client.send(bytes(part));
    assertEquals(
      text(await server.recv(9)) + text(await server.recv(9)),
      "12345678",
    );
    server.settimeout(0);
    assertEquals(await codeOf(() => server.recv(9)), "EAGAIN");
    assertEquals(
      await codeOf(() => client.send(new Uint8Array(65508))),
      "EMSGSIZE",
    );
    const waiting = codeOf(() => client.recv(9));
    server.close();
    assertEquals(await client.send(bytes("nobody")), 6);
    client.close();
    assertEquals(await waiting, "EBADF");
  },
);

withoutPermissions(
  "memorySocketpair() and its faults refuse what makes no sense",
  () => {
    assertThrows(() => memorySocketpair({ family: 99 }), RangeError, "99");
    assertThrows(() => memorySocketpair({ type: 99 }), RangeError, "99");
    for (const bufferSize of [0, -1, 1.5, NaN]) {
      assertThrows(
        () => memorySocketpair({ bufferSize }),
        RangeError,
        "bufferSize",
      );
    }
    const [client, server] = memorySocketpair();
    using _server = server;
    assertThrows(() => fragment(client, 0), RangeError, "size");
    client.close();
    for (const fault of [fragment, stall, resume]) {
      const error = assertThrows(() => fault(client), TypeError);
      assertStringIncludes(error.message, "memorySocketpair");
      using plain = new Socket();
      assertThrows(() => fault(plain), TypeError, fault.name);
    }
  },
);
