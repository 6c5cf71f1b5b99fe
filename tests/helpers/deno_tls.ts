/**
 * TLS of Deno's own: servers over `Deno.listenTls`, and their clients.
 *
 * @module
 */

import type { TCPServer } from "../../server.ts";
import { type Address, Socket } from "../../socket.ts";
import { mayRead } from "./allowed.ts";

/**
 * The file of a certificate of this machine's own for localhost and 127.0.0.1, until 2126. It and its key were made with
 * `openssl req -x509`.
 */
export const CERTIFICATE = new URL(
  "../testdata/localhost.crt",
  import.meta.url,
);

const [cert, key] = mayRead
  ? [CERTIFICATE, new URL("../testdata/localhost.key", import.meta.url)]
    .map((file) => Deno.readTextFileSync(file))
  : ["", ""];

/** Returns a class of servers over `Deno.listenTls`, as docs/guide.md shows it. */
export function overDenoTls<
  // deno-lint-ignore no-explicit-any -- as TypeScript wants the constructor of a mix-in
  S extends new (...args: any[]) => TCPServer,
>(Server: S): S {
  return class extends Server {
    static override readonly name: string = Server.name;

    override serverBind(): void {
      const [hostname, port] = this.serverAddress;
      this.socket = Socket.from(Deno.listenTls({ hostname, port, cert, key }));
      this.serverAddress = this.socket.getsockname() as [string, number];
    }

    override serverActivate(): void {} // the listener is open
  };
}

/** Returns a client of such a server. */
export async function connectDenoTls(address: Address): Promise<Socket> {
  const [hostname, port] = address as [string, number];
  return Socket.from(
    await Deno.connectTls({ hostname, port, caCerts: [cert] }),
  );
}
