/** Faults and limits of `Deno.listen`, `Deno.connect`, their errors, and permissions. */

import { isBusy, nextTurn, rejection, settles, sleep } from "./helpers.ts";

const hostname = "127.0.0.1";

/** Data that is in the kernel's buffer takes a read that waits some 60 turns of a busy event loop. */
export async function pollTurns(): Promise<boolean> {
  const listener = Deno.listen({ hostname, port: 0 });
  const client = await Deno.connect({ hostname, port: listener.addr.port });
  const server = await listener.accept();
  let ended = false;
  const read = server.read(new Uint8Array(8)).then(() => ended = true);
  await nextTurn();
  await client.write(new Uint8Array(8));
  let turns = 0;
  for (; !ended; turns++) await nextTurn();
  await read;
  return turns > 10;
}

/** The end of a Unix listener removes whatever is at its path by then. */
export async function unixUnlink(): Promise<boolean> {
  const path = `${Deno.makeTempDirSync()}/listener`;
  const listener = Deno.listen({ transport: "unix", path });
  Deno.removeSync(path);
  Deno.writeTextFileSync(path, "of somebody else");
  listener.close();
  for (let trial = 0; trial < 1500; trial++) {
    await sleep(20);
    try {
      Deno.statSync(path);
    } catch {
      return true;
    }
  }
  return false;
}

/** Connecting to a Unix listener whose queue is full fails, where connect(2) waits. */
export async function unixConnectFull(): Promise<boolean> {
  const path = `${Deno.makeTempDirSync()}/listener`;
  Deno.listen({ transport: "unix", path });
  for (;;) {
    const connecting = Deno.connect({ transport: "unix", path });
    if (!await settles(connecting, 30_000)) return false;
    const error = await rejection(connecting);
    if (error !== undefined) return error instanceof Deno.errors.WouldBlock;
  }
}

/** `reusePort` without the unstable `net` flag ends the process. */
export function reusePort(): Promise<boolean> {
  try {
    Deno.listen({ hostname, port: 0, reusePort: true }).close();
  } catch {
    // what it should do
  }
  return Promise.resolve(false);
}

/** There is no `Deno.listenDatagram` without the unstable `net` flag. */
export function listenDatagramUnstable(): Promise<boolean> {
  return Promise.resolve(!("listenDatagram" in Deno));
}

/** Port 0 is a wrong argument for `Deno.connect`, where connect(2) is refused. */
export async function connectPort0(): Promise<boolean> {
  const error = await rejection(Deno.connect({ hostname, port: 0 }));
  return !(error instanceof Deno.errors.ConnectionRefused);
}

/** Whether `Deno.listen` listens on a random port where it should use a descriptor. */
export function listenFd(): Promise<boolean> {
  const options = { hostname, port: 0, fd: 99 } as Deno.TcpListenOptions;
  using listener = Deno.listen(options);
  return Promise.resolve(listener.addr.port > 0);
}

/** A close with unread data sends a FIN first: the peer sees an end, where the kernel's close is a reset. */
export async function closeIsEnd(): Promise<boolean> {
  const listener = Deno.listen({ hostname, port: 0 });
  const client = await Deno.connect({ hostname, port: listener.addr.port });
  const server = await listener.accept();
  await server.write(new Uint8Array(8));
  await client.read(new Uint8Array(8));
  await client.write(new Uint8Array(8));
  const read = client.read(new Uint8Array(8));
  server.close();
  return await read.catch(() => 0) === null;
}

/** A name that cannot be resolved is a plain `Error` without a code. */
export async function resolverError(): Promise<boolean> {
  const options = { hostname: "name.invalid", port: 1 };
  const error = await rejection(Deno.connect(options));
  return error instanceof Error && !("code" in error) &&
    error.message.startsWith("failed to lookup");
}

/** Some errors of Deno have a class and no `code`. */
export async function errorCodes(): Promise<boolean> {
  const listener = Deno.listen({ hostname, port: 0 });
  listener.close();
  const error = await rejection(listener.accept());
  return (error as { code?: unknown }).code === undefined;
}

/** The end of writing waits for the handshake of TLS, as long as the client likes. */
export async function tlsCloseWrite(): Promise<boolean> {
  const read = (name: string) =>
    Deno.readTextFileSync(new URL(`../${name}`, import.meta.url));
  const [cert, key] = [read("localhost.crt"), read("localhost.key")];
  const listener = Deno.listenTls({ hostname, port: 0, cert, key });
  await Deno.connect({ hostname, port: listener.addr.port });
  const server = await listener.accept();
  return !await settles(server.closeWrite(), 500);
}

/** A host without a port is granted although a port of it is denied. */
export async function permissionQuery(): Promise<boolean> {
  const host = await Deno.permissions.query({ name: "net", host: hostname });
  const denied = { name: "net", host: `${hostname}:80` } as const;
  const port = await Deno.permissions.query(denied);
  return host.state === "granted" && port.state === "denied";
}

interface Datagrams {
  receive(p: Uint8Array): Promise<unknown>;
  send(p: Uint8Array, addr: Deno.Addr): Promise<number>;
  close(): void;
  addr: Deno.Addr;
}

function bindDatagrams(path: string): Datagrams {
  const { listenDatagram } = Deno as unknown as {
    listenDatagram(options: { transport: string; path: string }): Datagrams;
  };
  return listenDatagram({ transport: "unixpacket", path });
}

/** A Unix datagram socket cannot send while it receives. */
export async function datagramBusy(): Promise<boolean> {
  const directory = Deno.makeTempDirSync();
  const [a, b] = ["a", "b"].map((name) =>
    bindDatagrams(`${directory}/${name}`)
  );
  const received = a.receive(new Uint8Array(8));
  const error = await rejection(a.send(new Uint8Array(8), b.addr));
  await b.send(new Uint8Array(8), a.addr);
  await received;
  return error instanceof Deno.errors.Busy;
}

/** A send to a Unix datagram socket whose queue is full tries for ever, at almost half of a processor. */
export async function datagramFullQueue(): Promise<boolean> {
  const directory = Deno.makeTempDirSync();
  const [a, b] = ["a", "b"].map((name) =>
    bindDatagrams(`${directory}/${name}`)
  );
  for (let sent = true; sent;) {
    const sending = a.send(new Uint8Array(8), b.addr);
    sending.catch(() => {});
    sent = await settles(sending, 1000);
  }
  return await isBusy();
}
