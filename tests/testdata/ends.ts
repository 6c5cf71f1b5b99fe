/** A program that serves one request with each server, shuts it down without closing it, and has nothing else to do. */

import { BaseRequestHandler, StreamRequestHandler } from "../../handlers.ts";
import {
  AsyncTCPServer,
  AsyncUDPServer,
  ForkingTCPServer,
  ThreadingTCPServer,
} from "../../mixins.ts";
import { TCPServer, UDPServer, UnixStreamServer } from "../../server.ts";
import { AF_UNIX, SOCK_DGRAM, Socket } from "../../socket.ts";

const SERVERS = {
  TCPServer,
  UDPServer,
  UnixStreamServer,
  AsyncTCPServer,
  AsyncUDPServer,
  ThreadingTCPServer,
  ForkingTCPServer,
};

/** Answers with one byte. */
export class One extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.wfile.write("1");
  }
}

class OneDatagram extends BaseRequestHandler<[Uint8Array, Socket]> {
  override async handle() {
    await this.request[1].sendto(this.request[0], this.clientAddress);
  }
}

/** Serves one request, and shuts the server down. */
async function end(name: keyof typeof SERVERS, how: string): Promise<void> {
  // deno-lint-ignore no-explicit-any
  const Server = SERVERS[name] as any;
  const datagrams = Server.socketType === SOCK_DGRAM;
  const address = Server.addressFamily === AF_UNIX
    ? `${Deno.makeTempDirSync()}/socket`
    : ["127.0.0.1", 0];
  const server = new Server(address, datagrams ? OneDatagram : One);
  const serving = how === "serveForever"
    ? server.serveForever()
    : server.handleRequest();
  const client = new Socket(server.addressFamily, server.socketType);
  await client.connect(server.serverAddress);
  // a server of datagrams has several receives in flight by then
  const requests = datagrams && how === "serveForever" ? 40 : 1;
  for (let i = 1; i < requests; i++) {
    await client.sendall(new Uint8Array(1));
    await client.recv(1);
  }
  await client.sendall(new Uint8Array(1));
  const { length } = await client.recv(1);
  client.close();
  if (how === "serveForever") await server.shutdown();
  await serving;
  if (how === "handleTimeout") {
    server.timeout = 0.01;
    await server.handleRequest();
  }
  console.log(`${name} ${how} ${length} end`);
}

if (import.meta.main) {
  for (const name of Deno.args as (keyof typeof SERVERS)[]) {
    for (const how of ["serveForever", "handleRequest", "handleTimeout"]) {
      await end(name, how);
    }
  }
}
