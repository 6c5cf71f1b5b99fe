/** The stack of an error begins in the program, where a call fails without having waited. */

import {
  AF_INET,
  createServer,
  OSError,
  SOCK_DGRAM,
  Socket,
  SOL_SOCKET,
} from "../../socket.ts";
import { assertEquals, assertInstanceOf, assertMatch } from "../deps.ts";

const data = new Uint8Array(8);

function firstFrame(error: unknown): string {
  assertInstanceOf(error, Error);
  return error.stack!.split("\n    at ")[1];
}

const SYNC: Record<string, (socket: Socket) => unknown> = {
  "bind to a taken port": (socket) => socket.bind(taken.getsockname()),
  "bind to 7": (socket) => socket.bind(7 as never),
  detach: (socket) => socket.detach(),
  getpeername: (socket) => socket.getpeername(),
  getsockname: () => closed.getsockname(),
  getsockopt: (socket) => socket.getsockopt(SOL_SOCKET, -1),
  listen: (socket) => socket.listen(-1 - 2 ** 31),
  makefile: (socket) => socket.makefile("x" as never),
  setblocking: () => closed.setblocking(true),
  setdeadline: (socket) => socket.setdeadline(-1),
  setsockopt: (socket) => socket.setsockopt(SOL_SOCKET, -1, 1),
  settimeout: (socket) => socket.settimeout(-1),
  createServer: () => createServer(taken.getsockname()),
};

const ASYNC: Record<string, (socket: Socket) => Promise<unknown>> = {
  send: (socket) => socket.send(data),
  "send text": (socket) => socket.send("text" as never),
  sendall: (socket) => socket.sendall(data),
  sendto: () => udp.sendto(data, 7 as never),
};

const taken = createServer(["127.0.0.1", 0]);
const closed = new Socket();
closed.close();
const udp = new Socket(AF_INET, SOCK_DGRAM);
addEventListener("unload", () => {
  taken.close();
  udp.close();
});

for (const [name, call] of Object.entries(SYNC)) {
  Deno.test(`the error of ${name} begins with the caller's frame`, () => {
    using socket = new Socket();
    let thrown: unknown;
    try {
      call(socket);
    } catch (error) {
      thrown = error;
    }
    assertMatch(firstFrame(thrown), /stack_test\.ts/);
  });
}

for (const [name, call] of Object.entries(ASYNC)) {
  Deno.test(`the failure of ${name} begins with the caller's frame`, async () => {
    using socket = new Socket();
    const error = await call(socket).catch((error: unknown) => error);
    assertMatch(firstFrame(error), /stack_test\.ts/);
  });
}

Deno.test("the error of an overridden method begins with the frame of that", () => {
  class Own extends Socket {
    override bind(): void {
      super.bind(taken.getsockname());
    }
  }
  using socket = new Own();
  try {
    socket.bind();
  } catch (error) {
    assertInstanceOf(error, OSError);
    assertMatch(firstFrame(error), /Own\.bind/);
  }
  assertEquals(Socket.prototype.bind.name, "bind");
  assertEquals(Socket.prototype.bind.length, 1);
});
