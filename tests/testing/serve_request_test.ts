/**
 * The run of a handler in a test: the stages in a server's order, its client in memory, and no permission.
 */

import { OSError } from "../../socket.ts";
import {
  BaseRequestHandler,
  DatagramRequestHandler,
  DualRequestHandler,
  StreamRequestHandler,
} from "../../handlers.ts";
import {
  fragment,
  serveDatagram,
  serveRequest,
  stall,
  TestServer,
} from "../../testing.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "../deps.ts";
import { withoutPermissions } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { recvToEnd } from "../helpers/sockets.ts";
import { codeOf } from "../helpers/thrown.ts";
import { within } from "../helpers/within.ts";

class Upper extends StreamRequestHandler {
  stages: string[] = [];

  override async setup() {
    this.stages.push("setup");
    await super.setup();
  }

  override async handle() {
    this.stages.push("handle");
    const line = await this.rfile.readline();
    await this.wfile.write(text(line).toUpperCase());
  }

  override async finish() {
    this.stages.push("finish");
    await super.finish();
  }
}

withoutPermissions(
  "serveRequest() runs the stages of a handler, and closes the connection",
  async () => {
    using served = serveRequest(Upper);
    const { client, handler } = served;
    fragment(client);
    await client.sendall(bytes("hello\n"));
    assertEquals(text(await recvToEnd(client)), "HELLO\n");
    await within(served.done);
    assertEquals(handler.stages, ["setup", "handle", "finish"]);
    assertEquals(handler.request.fileno(), -1);
    assertEquals(handler.clientAddress, client.getsockname());
    assertEquals(handler.server.serverAddress, client.getpeername());
  },
);

withoutPermissions(
  "serveRequest() rejects with what the handler throws, after the end of the connection",
  async () => {
    class Failing extends Upper {
      override handle(): Promise<void> {
        throw new RangeError("handle");
      }
    }
    using served = serveRequest(Failing);
    const error = await assertRejects(() => within(served.done), RangeError);
    assertEquals(error.message, "handle", "message");
    assertEquals(served.handler.failure, error, "failure");
    assertEquals(served.handler.stages, ["setup", "finish"]);
    assertEquals(await served.client.recv(9), new Uint8Array(0));

    class Twice extends Failing {
      override finish(): Promise<void> {
        throw new Error("finish");
      }
    }
    await assertRejects(() => serveRequest(Twice).done, SuppressedError);
  },
);

withoutPermissions(
  "serveRequest() does not call finish() when setup() throws",
  async () => {
    class NoSetup extends Upper {
      override setup(): Promise<void> {
        throw new Error("setup");
      }
    }
    using served = serveRequest(NoSetup);
    await assertRejects(() => within(served.done), Error, "setup");
    assertEquals(served.handler.stages, []);
  },
);

withoutPermissions("serveRequest() throws what the constructor throws", () => {
  class Bad extends Upper {
    constructor(...args: ConstructorParameters<typeof Upper>) {
      super(...args);
      throw new Error("constructor");
    }
  }
  assertThrows(() => serveRequest(Bad), Error, "constructor");
});

withoutPermissions(
  "serveRequest() leaves an error that nobody awaits alone",
  async () => {
    class Failing extends Upper {
      override handle(): Promise<void> {
        throw new Error("unheard");
      }
    }
    using served = serveRequest(Failing);
    assertEquals(await recvToEnd(served.client), new Uint8Array(0));
  },
);

/** Sends the client the properties of its server, and waits for the drain. */
class Curious extends BaseRequestHandler {
  override async handle() {
    const { server } = this;
    const { options, shared, stopped } = server as unknown as TestServer;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.signal.addEventListener("abort", () => resolve());
    await this.request.sendall(
      bytes(JSON.stringify({ options, shared, stopped })),
    );
    await promise;
    await server.shutdown();
  }
}

withoutPermissions(
  "serveRequest() gives the handler a server with options, shared and a signal",
  async () => {
    const shared = { users: 3 };
    using served = serveRequest(Curious, {
      clientAddress: ["192.0.2.1", 7],
      options: { motd: "hi" },
      shared,
    });
    const said = JSON.parse(text(await served.client.recv(999)));
    assertEquals(said, { options: { motd: "hi" }, shared, stopped: false });
    const server = served.server as TestServer;
    assertInstanceOf(server, TestServer);
    assertStrictEquals(server.shared, shared);
    assertEquals(served.handler.clientAddress, ["192.0.2.1", 7]);
    served.drain();
    await within(served.done);
    assertEquals(server.stopped, true);
  },
);

withoutPermissions(
  "serveRequest() takes a server of the test's own",
  async () => {
    const drain = new AbortController();
    class Own extends TestServer {
      readonly name = "mine";
      override requestSignal() {
        return drain.signal;
      }
    }
    const own = new Own(["127.0.0.1", 1]);
    class Named extends StreamRequestHandler<Own> {
      override async handle() {
        await this.wfile.write(`${this.server.name} ${this.signal.aborted}`);
      }
    }
    drain.abort();
    using served = serveRequest(Named, { server: own });
    assertStrictEquals(served.server, own);
    assertEquals(text(await recvToEnd(served.client)), "mine true");
    await within(served.done);
  },
);

withoutPermissions(
  "serveRequest() has the timeouts and the back-pressure of a connection",
  async () => {
    class Slow extends StreamRequestHandler {
      override timeout = 0.01;
      override async handle() {
        await this.rfile.readline();
      }
    }
    using slow = serveRequest(Slow);
    stall(slow.client);
    await slow.client.sendall(bytes("in vain\n"));
    assertEquals(await codeOf(() => slow.done), "ETIMEDOUT");

    class Talker extends StreamRequestHandler {
      override async handle() {
        await this.request.sendall(new Uint8Array(100));
      }
    }
    using talker = serveRequest(Talker, { bufferSize: 10 });
    assertEquals((await recvToEnd(talker.client)).length, 100);
    await within(talker.done);
  },
);

withoutPermissions(
  "a handler of serveRequest() hears of a client that has gone, and of the test's end",
  async () => {
    class Reader extends BaseRequestHandler {
      override async handle() {
        await this.request.recv(9);
      }
    }
    using gone = serveRequest(Reader);
    gone.client.abort();
    assertEquals(await codeOf(() => gone.done), "ECONNRESET");
    const left = serveRequest(Reader);
    left[Symbol.dispose]();
    const error = await assertRejects(() => within(left.done), OSError);
    assert(["EBADF", "ECONNRESET"].includes(error.code!), error.code);
  },
);

withoutPermissions(
  "serveDatagram() runs a handler for a datagram, and the client gets what it sends",
  async () => {
    class Answer extends DatagramRequestHandler {
      override async handle() {
        await this.socket.sendto(bytes("first"), this.clientAddress);
        await this.wfile.write(text(this.packet).toUpperCase());
      }
    }
    using served = serveDatagram(Answer, bytes("hello"));
    await within(served.done);
    assertEquals(text(await served.client.recv(99)), "first");
    assertEquals(text(await served.client.recv(99)), "HELLO");
    assertEquals(served.handler.clientAddress, served.client.getsockname());
    class Silent extends DatagramRequestHandler {
      override handle(): void {
        throw new Error("no answer");
      }
    }
    using silent = serveDatagram(Silent, bytes("x"));
    await assertRejects(() => within(silent.done), Error, "no answer");
    silent.client.settimeout(0);
    assertEquals(await codeOf(() => silent.client.recv(9)), "EAGAIN");
  },
);

withoutPermissions(
  "serveRequest() and serveDatagram() run a dual handler",
  async () => {
    class Echo extends DualRequestHandler {
      override async handle() {
        await this.wfile.write(await this.rfile.read());
      }
    }
    using stream = serveRequest(Echo);
    await stream.client.sendall(bytes("stream"));
    await stream.client.shutdown(1);
    assertEquals(text(await recvToEnd(stream.client)), "stream");
    using datagram = serveDatagram(Echo, bytes("datagram"));
    assertEquals(text(await datagram.client.recv(99)), "datagram");
    await within(Promise.all([stream.done, datagram.done]));
  },
);

withoutPermissions(
  "serveRequest() and serveDatagram() refuse handlers that they cannot run",
  () => {
    class Packet extends DatagramRequestHandler {}
    class Blocking extends BaseRequestHandler {
      static readonly blocking = true;
    }
    assertThrows(
      () => serveRequest(Packet as never),
      TypeError,
      "StreamRequestHandler",
    );
    assertThrows(
      () =>
        serveDatagram(
          Upper as never,
          bytes(""),
        ),
      TypeError,
      "DatagramRequestHandler",
    );
    assertThrows(() => serveRequest(Blocking), TypeError, "ThreadingTCPServer");
    assertThrows(() => serveRequest(7 as never), TypeError, "number");
  },
);
