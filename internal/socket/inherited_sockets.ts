/**
 * The sockets that a service manager has opened for this program: socket activation.
 *
 * @module
 */

import { osError } from "../base/translate_error.ts";
import {
  type InheritedDescriptor,
  inheritedDescriptors,
} from "../runtime/inherited/listen_fds.ts";
import { Socket } from "./socket_object.ts";

/**
 * Returns the socket that systemd, or another service manager, has opened for this program: a listening one, or a
 * connection with `Accept=yes`. The variables are those of sd_listen_fds(3): LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES.
 * They are read once and removed, so that no program that this one starts takes the sockets for its own.
 *
 * Needs `--allow-env=LISTEN_FDS,LISTEN_PID,LISTEN_FDNAMES`, and no permission for the address.
 *
 * @param name The name of the socket, `FileDescriptorName=` of its unit; may be left out if there is only one.
 * @returns The socket, as from {@linkcode Socket.fromFd}; undefined if the program got no sockets.
 * @throws {OSError} EINVAL if the sockets are for another process, or if none, or more than one, has the name; and as
 *   {@linkcode Socket.fromFd}.
 * @throws {PermissionError} if the variables may not be read.
 * @category Sockets
 * @example A server that systemd may start, or you
 * ```ts
 * import { AsyncTCPServer, inheritedSocket, StreamRequestHandler } from "@socketserver/socketserver";
 *
 * class Hello extends StreamRequestHandler {
 *   override async handle() {
 *     await this.wfile.write("hello\n");
 *   }
 * }
 *
 * await using server = new AsyncTCPServer(inheritedSocket() ?? ["127.0.0.1", 0], Hello);
 * ```
 */
export function inheritedSocket(name?: string): Socket | undefined {
  const all = inheritedDescriptors();
  if (all.length === 0) return undefined;
  return adopt(pick(all, name));
}

/** Returns the only descriptor with a name, or the only one. */
export function pick(
  all: readonly InheritedDescriptor[],
  name: string | undefined,
): InheritedDescriptor {
  const found = withName(all, name);
  if (found.length === 1) return found[0];
  const which = name === undefined ? "" : ` "${name}"`;
  const names = all.map(({ name }) => `"${name}"`).join(", ");
  const reason = found.length === 0
    ? `their names are ${names}`
    : `${found.length} sockets match of ${names}; give another name, or call inheritedSockets()`;
  throw osError("EINVAL", {
    syscall: `take the inherited socket${which}`,
    reason,
  });
}

/**
 * Returns all sockets that a service manager has opened for this program, or those with a name: a unit with several
 * `ListenStream=` gives all of them the same one. Otherwise as {@linkcode inheritedSocket}.
 *
 * @param name The name of the sockets.
 * @returns The sockets, in the order of the unit; empty if the program got none.
 * @throws {OSError} as {@linkcode inheritedSocket}.
 * @category Sockets
 * @example One server for each
 * ```ts
 * import { AsyncTCPServer, inheritedSockets, serve, StreamRequestHandler } from "@socketserver/socketserver";
 *
 * class Hello extends StreamRequestHandler {
 *   override async handle() {
 *     await this.wfile.write("hello\n");
 *   }
 * }
 *
 * const servers = inheritedSockets("http").map((socket) => new AsyncTCPServer(socket, Hello));
 * if (servers.length > 0) await serve(servers);
 * ```
 */
export function inheritedSockets(name?: string): Socket[] {
  return withName(inheritedDescriptors(), name).map(adopt);
}

function withName(
  descriptors: readonly InheritedDescriptor[],
  name: string | undefined,
): readonly InheritedDescriptor[] {
  return name === undefined
    ? descriptors
    : descriptors.filter((each) => each.name === name);
}

function adopt({ fd }: InheritedDescriptor): Socket {
  return Socket.fromFd(fd);
}
