/** Adopts the descriptors that pass_sockets.py passes, and prints what each of them is, as one JSON object. */

import {
  AF_UNIX,
  inheritedSocket,
  inheritedSockets,
  SOCK_STREAM,
  Socket,
} from "../../mod.ts";

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

const told: Record<string, unknown> = {
  paths: Deno.args[0],
  several: attempt(() => inheritedSocket()),
  none: attempt(() => inheritedSocket("nobody")),
  negative: attempt(() => Socket.fromFd(-1)),
  closed: attempt(() => Socket.fromFd(99)),
};
for (const name of names) {
  told[name] = attempt(() => {
    const socket = name === "wrong"
      ? Socket.fromFd(fdOf(name), { family: AF_UNIX })
      : name === "wrongtype"
      ? Socket.fromFd(fdOf(name), { type: SOCK_STREAM })
      : inheritedSockets(name)[0];
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
