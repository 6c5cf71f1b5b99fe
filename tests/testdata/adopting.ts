/** Adopts the descriptors that pass_sockets.py passes, and prints what each of them is, as one JSON object. */

import {
  AF_INET,
  AF_UNIX,
  inheritedSocket,
  inheritedSockets,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
  UDPServer,
} from "../../mod.ts";
import { UpperPacket } from "./activated_server.ts";

const attempt = (call: () => unknown) => {
  try {
    return call();
  } catch (error) {
    return (error as Error).message;
  }
};

/** The sockets that have one of the descriptors of a process, or of this one. */
const socketsOf = (fds: string[]) =>
  fds.filter((each) => each.includes("socket:"));

const fdOf = (name: string) => names.indexOf(name) + 3;
const names = Deno.env.get("LISTEN_FDNAMES")!.split(":");
const passed = new Set(
  names.map((name) => Deno.readLinkSync(`/proc/self/fd/${fdOf(name)}`)),
);

/** Uses adopted sockets: an accept, both ends of a connection, a file over it, a timeout, and a server of datagrams. */
async function exchange(): Promise<string[]> {
  const got: string[] = [];
  const [tcp, connected] = [sockets.get("tcp")!, sockets.get("connected")!];
  const [server, peer] = await tcp.accept();
  got.push(`${String(peer) === String(connected.getsockname())}`);
  await connected.sendall(new TextEncoder().encode("one"));
  got.push(new TextDecoder().decode(await server.recv(10)));
  await server.sendall(new TextEncoder().encode("two\n"));
  got.push(await connected.makefile("r").readline());
  tcp.settimeout(0.01);
  await tcp.accept().catch((error) => got.push(error.name));
  const packets = new UDPServer(sockets.get("udp")!, UpperPacket);
  const handled = packets.handleRequest();
  using client = new Socket(AF_INET, SOCK_DGRAM);
  await client.sendto(new TextEncoder().encode("three"), packets.serverAddress);
  await handled;
  got.push(new TextDecoder().decode(await client.recv(10)));
  for (const socket of [tcp, connected, server]) socket.close();
  await packets.serverClose();
  return got;
}

const told: Record<string, unknown> = {
  paths: Deno.args[0],
  several: attempt(() => inheritedSocket()),
  none: attempt(() => inheritedSocket("nobody")),
  negative: attempt(() => Socket.fromFd(-1)),
  closed: attempt(() => Socket.fromFd(99)),
};
const sockets = new Map<string, Socket>();
for (const name of names) {
  told[name] = attempt(() => {
    const socket = name === "wrong"
      ? Socket.fromFd(fdOf(name), { family: AF_UNIX })
      : name === "wrongtype"
      ? Socket.fromFd(fdOf(name), { type: SOCK_STREAM })
      : inheritedSockets(name)[0];
    sockets.set(name, socket);
    const hostOf = (address: unknown) =>
      Array.isArray(address) ? address[0] : address;
    return {
      family: socket.family,
      type: socket.type,
      address: hostOf(socket.getsockname()),
      peer: attempt(() => hostOf(socket.getpeername())),
    };
  });
}
told.exchanged = await exchange();
told.twice = attempt(() => Socket.fromFd(3));
const { LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES } = Deno.env.toObject();
told.variables = { LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES };
await new Promise((resolve) => setTimeout(resolve)); // what is adopted is closed in the next turn
const { stdout } = new Deno.Command("ls", { args: ["-l", "/proc/self/fd"] })
  .outputSync();
const adopted = names.filter((name) => typeof told[name] === "object");
const inodes = adopted.map((name) => [...passed][names.indexOf(name)]);
told.leaked = socketsOf(new TextDecoder().decode(stdout).split("\n"))
  .filter((each) => inodes.some((inode) => each.endsWith(inode)));
console.log(JSON.stringify(told));
