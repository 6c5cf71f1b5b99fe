/**
 * Serves on all sockets that this process got, each in the way to run that its name says, until SIGTERM. Prints the
 * addresses as JSON, and in the end what `serve` returns.
 */

import * as module from "../../mod.ts";
import {
  AF_UNIX,
  AsyncTCPServer,
  DatagramRequestHandler,
  inheritedSockets,
  serve,
  SOCK_DGRAM,
  type Socket,
  StreamRequestHandler,
} from "../../mod.ts";
import { PROTOCOL_TLS_SERVER, SSLContext } from "../../ssl.ts";

export class Upper extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    const line = await this.rfile.readline();
    await this.wfile.write(new TextDecoder().decode(line).toUpperCase());
  }
}

export class UpperPacket extends DatagramRequestHandler {
  static readonly moduleUrl = import.meta.url;

  override async handle() {
    await this.wfile.write(
      new TextDecoder().decode(this.packet).toUpperCase(),
    );
  }
}

/** Makes a server of the class that a name such as `"Forking"` begins. */
function serverOf(way: string, socket: Socket, options: object) {
  if (way === "Secure") {
    const ssl = new SSLContext(PROTOCOL_TLS_SERVER);
    const file = (name: string) => new URL(name, import.meta.url);
    ssl.loadCertChain(file("localhost.crt"), file("localhost.key"));
    return new AsyncTCPServer(socket, Upper, { ssl, ...options });
  }
  const datagrams = socket.type === SOCK_DGRAM;
  const kind = datagrams
    ? "UDPServer"
    : socket.family === AF_UNIX
    ? "UnixStreamServer"
    : "TCPServer";
  // deno-lint-ignore no-explicit-any
  const Server = (module as any)[(way === "plain" ? "" : way) + kind];
  return new Server(socket, datagrams ? UpperPacket : Upper, options);
}

if (import.meta.main) {
  const [ways, options = "{}"] = Deno.args;
  try {
    const servers = [...new Set(ways.split(","))].flatMap((way) =>
      inheritedSockets(way).map((socket) =>
        serverOf(way, socket, JSON.parse(options))
      )
    );
    console.log(
      JSON.stringify(servers.map(({ serverAddress }) => serverAddress)),
    );
    console.log(JSON.stringify(await serve(servers)));
  } catch (error) {
    console.log((error as Error).message);
  }
}
