/** The errors of a handler that was not set up, or is for another kind of server. */

import {
  AsyncTCPServer,
  AsyncUDPServer,
  DatagramRequestHandler,
  DualRequestHandler,
  type RequestHandlerConstructor,
  StreamRequestHandler,
  ThreadingTCPServer,
  ThreadingUDPServer,
} from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { bytes } from "../helpers/bytes.ts";
import { udp } from "../helpers/sockets.ts";
import { Running, workerTest } from "../helpers/threading.ts";
import {
  BlocksForgetful,
  BlocksForgetfulAtEnd,
  BlocksForStreams,
} from "../testdata/forgetful_handlers.ts";

type Constructor = RequestHandlerConstructor;

const forgotten = (name: string, what: string) =>
  `TypeError: Cannot use ${what} of ${name}: its setup() must call super.setup() first, and await it`;

class Stream extends StreamRequestHandler {
  override setup() {}
  override async handle() {
    await this.rfile.readline();
  }
}
class StreamConnection extends StreamRequestHandler {
  override setup() {}
  override handle() {
    this.connection.settimeout(1);
  }
}
class StreamAtEnd extends StreamRequestHandler {
  override setup() {}
}
class Datagram extends DatagramRequestHandler {
  override setup() {}
  override async handle() {
    await this.wfile.write(this.packet);
  }
}
class DatagramAtEnd extends DatagramRequestHandler {
  override setup() {}
  override async handle() {
    await this.wfile.write("answer");
  }
}
class Dual extends DualRequestHandler {
  override async setup() {}
  override async handle() {
    await this.wfile.write("x");
  }
}
class DualHasty extends DualRequestHandler {
  override async setup() {
    super.setup();
    this.socket.settimeout(1);
    await undefined;
  }
}
class DualAtEnd extends DualRequestHandler {
  override async setup() {}
}
/** A handler with files of its own, as in Python. */
class Own extends StreamRequestHandler {
  override setup() {
    this.rfile = this.request.makefile("rb");
    this.wfile = this.request.makefile("wb");
  }
  override handle() {
    throw new TypeError(`${typeof this.rfile} and ${typeof this.wfile}`);
  }
}

const TCP: [Constructor, string][] = [
  [Stream, forgotten("Stream", "rfile")],
  [StreamConnection, forgotten("StreamConnection", "connection")],
  [StreamAtEnd, forgotten("StreamAtEnd", "wfile")],
  [Dual, forgotten("Dual", "wfile")],
  [DualHasty, forgotten("DualHasty", "socket")],
  [DualAtEnd, forgotten("DualAtEnd", "the files")],
  [Own, "TypeError: object and object"],
  [
    DatagramRequestHandler,
    "TypeError: Cannot handle a connection with DatagramRequestHandler: extend StreamRequestHandler, or DualRequestHandler for both",
  ],
];

const UDP: [Constructor, string][] = [
  [Datagram, forgotten("Datagram", "packet")],
  [DatagramAtEnd, forgotten("DatagramAtEnd", "socket")],
  [Dual, forgotten("Dual", "wfile")],
  [DualAtEnd, forgotten("DualAtEnd", "the files")],
  [
    StreamRequestHandler,
    "TypeError: Cannot handle a datagram with StreamRequestHandler: extend DatagramRequestHandler, or DualRequestHandler for both",
  ],
];

/** Servers with their own getRequest(), so that the handlers have to check the request. */
class OwnTCP extends AsyncTCPServer {
  override getRequest() {
    return super.getRequest();
  }
}
class OwnUDP extends AsyncUDPServer {
  override getRequest() {
    return super.getRequest();
  }
}
class OwnThreadingUDP extends ThreadingUDPServer {
  override getRequest() {
    return super.getRequest();
  }
}

/** Returns the error that is reported for a client. */
async function reported(server: AsyncTCPServer | AsyncUDPServer) {
  await using running = new Running(server);
  if (server instanceof AsyncUDPServer) {
    using client = udp();
    await client.sendto(bytes("?"), server.serverAddress);
    return String((await running.reports.next()).error);
  }
  using _client = await running.connect();
  return String((await running.reports.next()).error);
}

for (const [Handler, message] of TCP) {
  Deno.test(`A handler on a TCP server names the missing part: ${Handler.name}`, async () => {
    const server = new OwnTCP(["127.0.0.1", 0], Handler);
    assertEquals(await reported(server), message);
  });
}

for (const [Handler, message] of UDP) {
  Deno.test(`A handler on a UDP server names the missing part: ${Handler.name}`, async () => {
    const server = new OwnUDP(["127.0.0.1", 0], Handler);
    assertEquals(await reported(server), message);
  });
}

workerTest(
  "A blocking handler on a TCP or UDP server names the missing part",
  async () => {
    const options = { maxWorkers: 1 };
    const address = ["127.0.0.1", 0] as const;
    for (
      const [Handler, what] of [[BlocksForgetful, "rfile"], [
        BlocksForgetfulAtEnd,
        "wfile",
      ]] as const
    ) {
      const server = new ThreadingTCPServer(
        [...address],
        Handler as unknown as Constructor,
        options,
      );
      assertEquals(
        await reported(server as unknown as AsyncTCPServer),
        forgotten(Handler.name, what),
      );
    }
    await using running = new Running(
      new OwnThreadingUDP(
        [...address],
        BlocksForStreams as unknown as Constructor,
        options,
      ),
    );
    using client = udp();
    await client.sendto(bytes("?"), running.server.serverAddress);
    assertEquals(
      String((await running.reports.next()).error),
      "TypeError: Cannot handle a datagram with BlocksForStreams: extend BlockingRequestHandler",
    );
  },
);
