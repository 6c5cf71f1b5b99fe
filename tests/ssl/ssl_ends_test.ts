/** Beginnings and ends of TLS: peers that stall, leave, cut off or speak something else; timeouts and signals. */

import { randomBytes } from "node:crypto";
import { connect as connectNet } from "node:net";
import { connect as connectTls } from "node:tls";
import {
  BrokenPipeError,
  ConnectionError,
  OSError,
  select,
  SHUT_WR,
  type Socket,
  TimeoutError,
} from "../../socket.ts";
import {
  SSLEOFError,
  SSLError,
  type SSLSocket,
  SSLWantReadError,
  type WrapSocketOptions,
} from "../../ssl.ts";
import { assert, assertEquals, assertInstanceOf } from "../deps.ts";
import { granted } from "../helpers/allowed.ts";
import { digest } from "../helpers/bytes.ts";
import { assertNoneLeft, descriptors } from "../helpers/descriptors.ts";
import { portOf, recvToEnd } from "../helpers/sockets.ts";
import {
  authority,
  beginPair,
  clientContext,
  type Kind,
  listenKind,
  plainPair,
  serverContext,
  tlsPair,
} from "../helpers/ssl.ts";
import { errorOf } from "../helpers/thrown.ts";
import { within } from "../helpers/within.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const TCP_KINDS = ["Deno", "Node"] as const;

/** A socket of a server whose client is node:tls, and the plain connection under that client. */
async function nodeClient(kind: Kind, options: WrapSocketOptions) {
  using listener = listenKind(kind);
  const raw = connectNet(portOf(listener.getsockname()), "127.0.0.1");
  raw.on("error", () => {});
  const [plain] = await within(listener.accept());
  const wrapped = serverContext().wrapSocket(plain, {
    serverSide: true,
    ...options,
  });
  const client = connectTls({
    socket: raw,
    servername: "localhost",
    ca: authority.cert,
  });
  client.on("error", () => {});
  return { raw, client, server: await within(wrapped) };
}

for (const kind of TCP_KINDS) {
  Deno.test(`SSLSocket over ${kind} takes an end without a close_notify for the end, or for an error`, async () => {
    for (const suppressRaggedEofs of [true, false]) {
      const options = { suppressRaggedEofs };
      const { raw, client, server } = await nodeClient(kind, options);
      await server.sendall(encode("go")); // behind the session tickets: a close with unread data would be a reset
      await within(new Promise((done) => client.once("data", done)));
      await new Promise<void>((done) =>
        client.write("cut", () => {
          raw.destroy(); // a FIN, and no close_notify
          done();
        })
      );
      assertEquals(decode(await within(server.recv(100))), "cut");
      if (suppressRaggedEofs) {
        assertEquals((await within(server.recv(100))).length, 0);
      } else {
        const error = await errorOf(SSLEOFError, server.recv(100));
        assertEquals(error.code, "ECONNRESET");
      }
      server.close();
    }
  });

  Deno.test(`SSLSocket over ${kind} sees a close_notify behind data that nobody has read`, async () => {
    const options = { suppressRaggedEofs: false };
    const [client, server] = await tlsPair({ kind, serverOptions: options });
    await server.sendall(encode("go")); // behind the session tickets: a close with unread data would be a reset
    await client.recv(2);
    const data = new Uint8Array(150_000).fill(7);
    await client.sendall(data);
    client.close(); // sends a close_notify
    await client.waitClosed();
    assertEquals((await recvToEnd(server)).length, data.length);
    server.close();
  });

  Deno.test(`SSLContext over ${kind} closes stalled handshakes at their deadline, and their descriptors`, async () => {
    using listener = listenKind(kind);
    const context = serverContext();
    context.handshakeTimeout = 0.3;
    const port = portOf(listener.getsockname());
    const silent = await Promise.all(
      Array.from({ length: 30 }, () => Deno.connect({ port })),
    );
    const before = descriptors();
    const failures = silent.map(async () => {
      const [plain] = await listener.accept();
      const wrapped = context.wrapSocket(plain, { serverSide: true });
      return await errorOf(TimeoutError, wrapped);
    });
    const errors = await within(Promise.all(failures));
    assertEquals(new Set(errors.map(({ code }) => code)).size, 1);
    await assertNoneLeft(before);
    for (const conn of silent) conn.close();
  });

  Deno.test(`SSLContext over ${kind} fails at once if the peer leaves, or speaks something else`, async () => {
    const wrap = async (talk: (client: Socket) => unknown) => {
      const [client, server] = await plainPair(kind);
      using _client = client;
      await talk(client);
      return serverContext().wrapSocket(server, { serverSide: true });
    };
    const left = await errorOf(SSLEOFError, wrap((client) => client.close()));
    assertEquals(left.code, "ECONNRESET");
    const half = wrap((client) => client.shutdown(SHUT_WR));
    await errorOf(SSLEOFError, half);
    const http = wrap((client) =>
      client.sendall(encode("GET / HTTP/1.0\r\n\r\n"))
    );
    const error = await errorOf(SSLError, http);
    assertEquals(error.reason, "WRONG_VERSION_NUMBER");
    assertEquals(error.code, "EPROTO");
  });

  Deno.test(`SSLContext.wrapSocket() over ${kind} ends with the timeout of the socket or with a signal`, async () => {
    const [client, server] = await plainPair(kind);
    using _client = client;
    server.settimeout(0.05);
    const context = serverContext();
    const late = context.wrapSocket(server, { serverSide: true });
    assertEquals((await errorOf(TimeoutError, late)).code, "ETIMEDOUT");
    assertEquals((await within(client.recv(1))).length, 0); // the server has closed

    const [near, far] = await plainPair(kind);
    using _near = near;
    const controller = new AbortController();
    const wrapped = context.wrapSocket(far, {
      serverSide: true,
      signal: controller.signal,
    });
    queueMicrotask(() => controller.abort(new Error("enough")));
    assertEquals((await errorOf(Error, wrapped)).message, "enough");
    assertEquals((await within(near.recv(1))).length, 0);
  });

  Deno.test(`SSLSocket over ${kind} without doHandshakeOnConnect makes the handshake when it is needed`, async () => {
    const later = { doHandshakeOnConnect: false };
    const options = { kind, serverOptions: later, clientOptions: later };
    const [client, server] = await tlsPair(options);
    assertEquals(client.version(), null);
    assertEquals(client.cipher(), null);
    assertEquals(client.selectedAlpnProtocol(), null);
    const early = await errorOf(OSError, () => client.getpeercert());
    assertEquals(early.code, "ENOTCONN");
    const asked = client.sendall(encode("hello"));
    assertEquals(decode(await within(server.recv(100))), "hello");
    await within(asked);
    await within(client.doHandshake()); // it has ended
    assertEquals(client.version(), "TLSv1.3");
    client.close();
    server.close();
  });

  Deno.test(`SSLSocket.doHandshake() over ${kind} does not wait with timeout 0, and select tells when to call again`, async () => {
    const later = { doHandshakeOnConnect: false };
    const [clientEnd, serverEnd] = await beginPair({
      kind,
      serverOptions: later,
    });
    const server = await within(serverEnd);
    server.settimeout(0);
    let tries = 0;
    for (;;) {
      try {
        await server.doHandshake();
        break;
      } catch (error) {
        assertInstanceOf(error, SSLWantReadError);
        assertEquals(error.code, "EAGAIN");
        tries++;
        await within(select([server], [], [], 20));
      }
    }
    assert(tries < 5, `${tries} tries`);
    const client = await within(clientEnd);
    client.close();
    server.close();
  });

  Deno.test(`SSLSocket.doHandshake() over ${kind} goes on after a timeout`, async () => {
    const [client, server] = await plainPair(kind);
    const later = { serverSide: true, doHandshakeOnConnect: false };
    const wrapped = await serverContext().wrapSocket(server, later);
    wrapped.settimeout(0.02);
    await errorOf(TimeoutError, wrapped.doHandshake());
    wrapped.settimeout(20);
    const [near] = await within(Promise.all([
      clientContext().wrapSocket(client, { serverHostname: "localhost" }),
      wrapped.doHandshake(),
    ]));
    assertEquals(near.version(), wrapped.version());
    near.close();
    wrapped.close();
  });

  Deno.test(`SSLSocket over ${kind} fails to send once the peer is gone`, async () => {
    const [client, server] = await tlsPair({ kind });
    client.abort();
    const data = new Uint8Array(100_000);
    const error = await errorOf(ConnectionError, async () => {
      for (;;) await server.sendall(data);
    });
    assertInstanceOf(error, OSError);
    server.close();
    assertEquals((await errorOf(OSError, server.recv(1))).code, "EBADF");
    await server.shutdown(SHUT_WR).catch((error) =>
      assertInstanceOf(error, OSError)
    );
    await errorOf(OSError, server.doHandshake());
  });

  Deno.test(`SSLSocket over ${kind} aborts at once though the peer does not read`, async () => {
    const [client, server] = await tlsPair({ kind });
    const sent = server.sendall(new Uint8Array(30_000_000));
    sent.catch(() => {});
    await within(client.recv(1)); // the server sends, and the client reads no more
    server.abort();
    await errorOf(OSError, sent);
    client.abort();
  });

  Deno.test(`SSLSocket over ${kind} holds a peer back while nobody reads`, async () => {
    const [client, server] = await tlsPair({ kind });
    client.settimeout(0.5);
    const data = new Uint8Array(262_144);
    let taken = 0;
    const error = await errorOf(TimeoutError, async () => {
      while (taken < 64_000_000) taken += await client.send(data);
    });
    assertEquals(error.code, "ETIMEDOUT");
    for (let received = 0; received < taken - 65536;) {
      const { length } = await within(server.recv(65536));
      assert(length > 0, `${received} of ${taken} bytes`);
      received += length;
    }
    client.abort();
    server.abort();
  });

  Deno.test(`SSLSocket over ${kind} sends and receives much at once, whole and in order`, async () => {
    const size = Number(
      granted("env") && Deno.env.get("SSL_TEST_BYTES") || 4_194_304,
    );
    const [client, server] = await tlsPair({ kind });
    const block = new Uint8Array(randomBytes(1_048_576));
    const carry = async (from: SSLSocket, to: SSLSocket) => {
      const sending = (async () => {
        for (let sent = 0; sent < size; sent += block.length) {
          await from.sendall(block);
        }
        await from.shutdown(SHUT_WR);
      })();
      const memory = new Uint8Array(block.length);
      let at = 0;
      let whole = 0;
      for (;;) {
        const count = await to.recvInto(memory.subarray(at));
        if (count === 0) break;
        at += count;
        if (at < memory.length) continue;
        if (whole++ % 64 === 0) assertEquals(digest(memory), digest(block));
        else assert(memory[0] === block[0] && memory[at - 1] === block[at - 1]);
        at = 0;
      }
      await sending;
      return whole * block.length + at;
    };
    const both = Promise.all([carry(client, server), carry(server, client)]);
    assertEquals(await within(both, 600_000), [size, size]);
    client.close();
    server.close();
  });
}

Deno.test("BrokenPipeError is what a send after shutdown throws, over TLS too", async () => {
  const [client, server] = await tlsPair();
  await client.shutdown(SHUT_WR);
  await errorOf(BrokenPipeError, client.sendall(encode("more")));
  client.close();
  server.close();
});

Deno.test("SSLSocket.unwrap() gives the plain connection back to both sides, with what came behind the session", async () => {
  for (const turn of ["first", "second"]) {
    const [client, server] = await tlsPair();
    await client.sendall(encode("CCC"));
    assertEquals(decode(await server.recv(100)), "CCC");
    if (turn === "second") { // the server has read the end before it unwraps
      const ended = client.unwrap();
      assertEquals((await within(server.recv(100))).length, 0);
      const [near, far] = await within(Promise.all([ended, server.unwrap()]));
      await talk(near, far);
      continue;
    }
    const [near, far] = await within(Promise.all([
      client.unwrap(),
      server.unwrap().then(async (plain) => {
        await plain.sendall(encode("at once"));
        return plain;
      }),
    ]));
    assertEquals(client.fileno(), -1);
    assertEquals(server.fileno(), -1);
    assertEquals(decode(await within(near.recv(100))), "at once");
    await talk(near, far);
  }

  async function talk(near: Socket, far: Socket): Promise<void> {
    await near.sendall(encode("plain"));
    assertEquals(decode(await within(far.recv(100))), "plain");
    const [again, there] = await within(Promise.all([
      clientContext().wrapSocket(near, { serverHostname: "localhost" }),
      serverContext().wrapSocket(far, { serverSide: true }),
    ]));
    await again.sendall(encode("secret"));
    assertEquals(decode(await within(there.recv(100))), "secret");
    again.close();
    there.close();
  }
});

Deno.test("SSLSocket.unwrap() fails if it would lose data, wait for ever, or end the connection", async () => {
  const [early] = await tlsPair({ kind: "Node" }).then(([client, server]) => {
    client.close();
    return [server];
  });
  assertEquals((await errorOf(OSError, early.unwrap())).code, "EOPNOTSUPP");
  early.close();
  assertEquals((await errorOf(OSError, early.unwrap())).code, "EBADF");

  const [deaf, waiting] = await tlsPair();
  waiting.settimeout(0.05);
  await errorOf(TimeoutError, waiting.unwrap());
  assertEquals(waiting.fileno(), -1);
  deaf.close();

  const [talking, hasty] = await tlsPair();
  await talking.sendall(encode("unread"));
  const error = await errorOf(SSLError, hasty.unwrap());
  assertEquals(error.reason, "APPLICATION_DATA_AFTER_CLOSE_NOTIFY");
  talking.close();
});
