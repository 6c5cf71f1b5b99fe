import {
  MSG_PEEK,
  MSG_WAITALL,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
} from "../../socket.ts";
import { assertEquals, assertRejects } from "../deps.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { recvToEnd, udp, withPair } from "../helpers/sockets.ts";
import { codeOf, codesOf } from "../helpers/thrown.ts";
import { within } from "../helpers/within.ts";

withPair(
  "Socket.shutdown(SHUT_WR) ends the stream for the peer, and reading goes on",
  async (client, server) => {
    client.sendall(bytes("question"));
    await within(client.shutdown(SHUT_WR));
    assertEquals(text(await recvToEnd(server)), "question");
    await server.sendall(bytes("answer"));
    assertEquals(text(await within(client.recv(10))), "answer");
    assertEquals(
      await codesOf([client.send(bytes("x")), client.sendall(bytes("x"))]),
      ["EPIPE", "EPIPE"],
    );
    await client.shutdown(SHUT_WR); // again
  },
);

withPair(
  "Socket.shutdown(SHUT_RD) wakes the calls that wait, and no read waits any more",
  async (client, server) => {
    const waiting = [
      server.recv(1),
      server.recvInto(new Uint8Array(1)),
      server.recv(1, MSG_WAITALL),
    ];
    await server.shutdown(SHUT_RD);
    assertEquals(await within(Promise.all(waiting)), [bytes(""), 0, bytes("")]);
    assertEquals(await within(server.recv(9)), bytes(""));
    await server.sendall(bytes("writing goes on"));
    assertEquals(text(await within(client.recv(99))), "writing goes on");
  },
);

for (const direction of [SHUT_RD, SHUT_RDWR]) {
  withPair(
    `Socket.shutdown(${direction}) leaves what has arrived`,
    async (client, server) => {
      await client.sendall(bytes("0123456789"));
      await server.shutdown(direction);
      assertEquals(text(await within(server.recv(1, MSG_PEEK))), "0");
      assertEquals(text(await within(server.recv(2))), "01");
      const buffer = new Uint8Array(2);
      assertEquals(await within(server.recvInto(buffer)), 2);
      assertEquals(text(buffer), "23");
      assertEquals(text(await within(server.recv(99, MSG_WAITALL))), "456789");
      server.setblocking(false);
      assertEquals(await within(server.recv(9)), bytes(""));
    },
  );
}

withPair(
  "Socket.shutdown(SHUT_RDWR) ends both directions",
  async (client, server) => {
    const waiting = server.recv(1);
    await server.shutdown(SHUT_RDWR);
    assertEquals(await within(waiting), bytes(""));
    assertEquals(await within(client.recv(1)), bytes(""));
    assertEquals(await codeOf(() => server.send(bytes("x"))), "EPIPE");
  },
);

withPair(
  "Socket.shutdown() refuses other directions",
  async (client) => {
    assertEquals(await codeOf(() => client.shutdown(3)), "EINVAL");
    for (const how of ["2" as unknown as number, 1.5, NaN]) {
      await assertRejects(
        () => client.shutdown(how),
        TypeError,
        `Cannot shutdown: how must be an integer, got ${how}`,
      );
    }
  },
);

Deno.test("Socket.shutdown() refuses a datagram socket", async () => {
  using datagrams = udp();
  assertEquals(await codeOf(() => datagrams.shutdown(SHUT_WR)), "ENOTCONN");
});
