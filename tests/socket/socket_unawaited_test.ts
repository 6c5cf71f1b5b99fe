import { createServer, Socket, socketpair } from "../../mod.ts";
import { AF_INET, SHUT_RDWR, SOCK_DGRAM, SOCK_STREAM } from "../../mod.ts";
import { assertEquals, assertRejects } from "../deps.ts";
import { endOfTurn } from "../helpers/turns.ts";

/** Runs `use`, and two turns of the event loop, in which the runtime looks for unhandled rejections. */
async function unhandled(
  use: () => void | Promise<void>,
): Promise<string[]> {
  const seen: string[] = [];
  const note = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    seen.push(String(event.reason));
  };
  addEventListener("unhandledrejection", note);
  try {
    await use();
    for (let turn = 0; turn < 2; turn++) {
      await endOfTurn();
    }
  } finally {
    removeEventListener("unhandledrejection", note);
  }
  return seen;
}

const buffer = new Uint8Array(10);

/** Calls that a socket which is being closed makes fail, by name. */
const calls: Record<string, (socket: Socket) => Promise<unknown>> = {
  recv: (socket) => socket.recv(10),
  "recv with a timeout": (socket) => {
    socket.settimeout(30);
    return socket.recv(10);
  },
  "recv behind another": (socket) => {
    socket.recv(10);
    return socket.recv(10);
  },
  recvInto: (socket) => socket.recvInto(buffer),
  recvfrom: (socket) => socket.recvfrom(10),
  recvfromInto: (socket) => socket.recvfromInto(buffer),
  "makefile().readline": (socket) => socket.makefile("rb").readline(),
};

for (const [name, call] of Object.entries(calls)) {
  Deno.test(`Socket.${name}() that nobody awaits may fail`, async () => {
    const [socket, peer] = await socketpair();
    const seen = await unhandled(() => {
      call(socket);
      socket.abort(); // close() would wait for a file
      peer.close();
    });
    assertEquals(seen, []);
  });
}

Deno.test("Socket calls that nobody awaits may fail on a closed socket", async () => {
  const [socket, peer] = await socketpair();
  socket.close();
  peer.close();
  const seen = await unhandled(async () => {
    socket.send(buffer);
    socket.sendall(buffer);
    socket.sendmsg([buffer]);
    socket.sendto(buffer, ["127.0.0.1", 9]);
    socket.sendfile("nowhere");
    socket.recv(1);
    socket.connect(["127.0.0.1", 9]);
    socket.accept();
    socket.shutdown(SHUT_RDWR);
    await assertRejects(() => socket.recv(1));
  });
  assertEquals(seen, []);
});

Deno.test("Socket.accept() that nobody awaits may fail", async () => {
  const listener = createServer(["127.0.0.1", 0]);
  const seen = await unhandled(async () => {
    listener.accept();
    listener.close();
    await listener.waitClosed();
  });
  assertEquals(seen, []);
});

Deno.test("Socket.sendto() that nobody awaits may fail", async () => {
  using socket = new Socket(AF_INET, SOCK_DGRAM);
  socket.bind(["127.0.0.1", 0]);
  const seen = await unhandled(async () => {
    socket.sendto(new Uint8Array(70_000), socket.getsockname());
    await socket.sendto(buffer, socket.getsockname());
  });
  assertEquals(seen, []);
});

Deno.test("Socket.recv() on a socket that closes fails when it is awaited later", async () => {
  const [socket, peer] = await socketpair(AF_INET, SOCK_STREAM);
  const pending = socket.recv(10);
  socket.close();
  peer.close();
  await endOfTurn();
  await assertRejects(() => pending, Error, "closed");
});
