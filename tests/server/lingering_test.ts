/** Socket.lingeringClose(): the refusal of an upload under way reaches each client. */

import { request } from "node:http";
import {
  AsyncTCPServer,
  createConnection,
  ForkingTCPServer,
  type InetAddress,
  type RequestHandlerConstructor,
  TCPServer,
  ThreadingTCPServer,
} from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { have, mayFork, mayRead } from "../helpers/allowed.ts";
import { bytes, text } from "../helpers/bytes.ts";
import { serving } from "../helpers/servers.ts";
import { recvToEnd } from "../helpers/sockets.ts";
import { boundedCommand, within } from "../helpers/within.ts";
import { Refuses, RefusesBlocking } from "../testdata/lingering_handlers.ts";

/** Several times the buffers of both systems, so that the client is sending when it is refused. */
const UPLOAD = new Uint8Array(24 << 20);

/** A client that loses its answer if the server closes with unread data. */
const STRICT = "one that looks when it has sent all, as Python's http.client";

type Clients = Record<string, (url: string) => Promise<string>>;

/** The clients that upload: each returns its answer. */
const CLIENTS: Clients = {
  async [STRICT](url) {
    const { hostname, port } = new URL(url);
    using client = await createConnection([hostname, Number(port)]);
    await client.sendall(bytes("POST / HTTP/1.1\r\n\r\n"));
    await client.sendall(UPLOAD);
    const answer = text(await recvToEnd(client));
    return answer.replace(/^HTTP.1.1 (\d+).*\r\n/s, "$1 ");
  },
  async fetch(url) {
    const response = await fetch(url, { method: "POST", body: UPLOAD });
    return `${response.status} ${await response.text()}`;
  },
  async "fetch of a stream"(url) {
    const { body } = new Response(UPLOAD);
    const response = await fetch(url, { method: "POST", body });
    return `${response.status} ${await response.text()}`;
  },
  "node:http, as axios uses it": (url) =>
    new Promise((resolve, reject) => {
      const sending = request(url, { method: "POST" }, async (response) => {
        const parts = await Array.fromAsync(response.setEncoding("utf8"));
        resolve(`${response.statusCode} ${parts.join("")}`);
      });
      sending.on("error", reject);
      sending.end(UPLOAD);
    }),
};

/** curl, if it is installed. */
async function curl(url: string): Promise<string> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, UPLOAD);
    const { stdout, stderr } = await boundedCommand("curl", {
      // deno-fmt-ignore
      args: ["-sS", "-m", "20", "-H", "Expect:", "-w", "%{http_code}", "--data-binary", `@${path}`, url],
    }).output();
    const [said, error] = [stdout, stderr].map((bytes) =>
      new TextDecoder().decode(bytes)
    );
    return error || said.replace(/^(.*)\n(\d+)$/s, "$2 $1\n");
  } finally {
    await Deno.remove(path);
  }
}

if (have("curl")) CLIENTS.curl = curl;

interface Way {
  ignore: boolean;
  make: (address: InetAddress) => TCPServer;
}

const WAYS: Record<string, Way> = {
  TCPServer: {
    ignore: false,
    make: (address) => new TCPServer(address, Refuses),
  },
  AsyncTCPServer: {
    ignore: false,
    make: (address) => new AsyncTCPServer(address, Refuses),
  },
  ThreadingTCPServer: {
    ignore: !mayRead,
    make: (address) =>
      new ThreadingTCPServer(address, Refuses, { maxWorkers: 1 }),
  },
  "ThreadingTCPServer, blocking": {
    ignore: !mayRead,
    make: (address) =>
      new ThreadingTCPServer(
        address,
        RefusesBlocking as unknown as RequestHandlerConstructor,
        { maxWorkers: 1 },
      ),
  },
  ForkingTCPServer: {
    ignore: !mayFork,
    make: (address) =>
      new ForkingTCPServer(address, Refuses, { maxChildren: 1 }),
  },
};

for (const [way, { ignore, make }] of Object.entries(WAYS)) {
  const clients = way === "AsyncTCPServer" ? Object.keys(CLIENTS) : [STRICT];
  Deno.test({
    name: `Socket.lingeringClose() delivers the answer to each client: ${way}`,
    ignore,
    async fn() {
      const errors: unknown[] = [];
      const server = make(["127.0.0.1", 0]);
      server.handleError = (
        _request: unknown,
        _from: unknown,
        error: unknown,
      ) => void errors.push(error);
      await serving(server, async () => {
        const url = `http://127.0.0.1:${server.serverAddress[1]}/`;
        for (const name of clients) {
          const answer = await within(CLIENTS[name](url)).catch(String);
          assertEquals(answer, "413 too large\n", name);
        }
      });
      assertEquals(errors, []);
    },
  });
}
