/** Faults of `node:net`, `node:dgram`, `node:diagnostics_channel` and `Deno.DatagramConn` in Deno. */

import { createSocket } from "node:dgram";
import { channel } from "node:diagnostics_channel";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { once } from "node:events";
import { sleep, takeDescriptors } from "./helpers.ts";

const hostname = "127.0.0.1";

async function listen(server: Server): Promise<number> {
  server.listen(0, hostname);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** `unref` of a datagram socket that receives already lets no process end. */
export function dgramUnref(): Promise<boolean> {
  const source = `
    import { createSocket } from "node:dgram";
    const socket = createSocket("udp4");
    socket.bind({ port: 0, address: "127.0.0.1" }, () => socket.send("x", socket.address().port, "127.0.0.1"));
    socket.on("message", () => setTimeout(() => { // when it receives again
      socket.unref();
      setTimeout(() => Deno.exit(3), 1000).unref();
      setTimeout(() => {}, 100);
    }));`;
  return endsWith(3, source);
}

/** The error of a subscriber of a channel ends the process. */
export async function subscriberThrows(): Promise<boolean> {
  const events = channel("a channel");
  events.subscribe(() => {
    throw new Error("a subscriber that throws");
  });
  setTimeout(() => events.publish({}));
  await sleep(5000);
  return false;
}

/** Runs a program, and reports whether it still ran after a second, when it exits with that code. */
async function endsWith(code: number, source: string): Promise<boolean> {
  const args = ["eval", "--unstable-net", source];
  const command = new Deno.Command(Deno.execPath(), { args });
  return (await command.output()).code === code;
}

/** `unref` of a datagram socket of Deno with two receives in flight lets no process end. */
export function datagramUnref(): Promise<boolean> {
  const source = `
    const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    socket.receive(new Uint8Array(1));
    socket.receive(new Uint8Array(1));
    socket.unref();
    Deno.unrefTimer(setTimeout(() => Deno.exit(3), 1000));`;
  return endsWith(3, source);
}

/** Joining a group twice is EINVAL, where setsockopt(2) says EADDRINUSE. */
export async function dgramMembership(): Promise<boolean> {
  const socket = createSocket("udp4");
  socket.bind(0, hostname);
  await once(socket, "listening");
  socket.addMembership("224.0.0.1", hostname);
  try {
    socket.addMembership("224.0.0.1", hostname);
  } catch (error) {
    return (error as { code?: string }).code === "EINVAL";
  }
  return false;
}

/** A server of `node:net` accepts no more after it has been without a descriptor once. */
export async function acceptStops(): Promise<boolean> {
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    socket.on("error", () => {});
  });
  const port = await listen(server);
  await Deno.connect({ hostname, port });
  const held = takeDescriptors();
  held.pop()!.close(); // for the client, and none for the server
  await Deno.connect({ hostname, port });
  await sleep(200);
  for (const file of held) file.close();
  await Deno.connect({ hostname, port });
  await sleep(500);
  return accepted < 3;
}

/** A write that `destroy` cancels fails with ECANCELED. */
export async function writeCancelled(): Promise<boolean> {
  const server = createServer((socket) => socket.pause());
  const socket = connect(await listen(server), hostname);
  await once(socket, "connect");
  socket.on("error", () => {});
  const failed = new Promise<Error | null | undefined>((resolve) =>
    socket.write(new Uint8Array(50_000_000), resolve)
  );
  await sleep(100);
  socket.destroy();
  return (await failed)?.message.includes("ECANCELED") ?? false;
}
