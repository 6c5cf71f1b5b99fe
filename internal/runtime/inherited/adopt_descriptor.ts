/**
 * Adopting descriptors: sockets that this process got from the one that started it.
 *
 * Deno has no call for that: `Deno.listen({ fd })` listens on a random port (Deno 2.9.6). `node:net` has one, but lets a
 * TCP socket that is not bound listen on a random port too, and leaves the descriptor to each program that this one
 * starts. So a handle of Node looks at the descriptor first, and the socket gets a copy that is closed on exec.
 *
 * @module
 */

import type { Server as NetServer } from "node:net";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../../base/constants.ts";
import { type ErrnoName, errnoName, errnoOf } from "../../base/errno.ts";
import { osError } from "../../base/translate_error.ts";
import { hasPermission } from "../system/deno_api.ts";
import { nodeBinding } from "../system/node_builtins.ts";
import type { Transport, TransportAddr } from "../transport/transport.ts";
import { datagramOf } from "../node/node_datagram.ts";
import {
  canBindHandles,
  connectionOver,
  listenAt,
  type ListenHandle,
  serverOver,
  SOCKET_HANDLE,
} from "../node/node_handles.ts";
import { NodeListener } from "../node/node_listener.ts";
import { PassableStream } from "../node/passable_stream.ts";

/** The kind of socket that a descriptor must be; any kind if undefined. */
export interface WantedSocket {
  /** The family. */
  readonly family?: number;
  /** The type. */
  readonly type?: number;
}

/** A handle of Node over a descriptor. */
interface Handle {
  /** Opens a descriptor. Returns 0, or the negative errno. */
  open(fd: number): number;
  /** Returns a copy of the descriptor that is closed on exec. */
  fdForIpc(): number;
  getsockname?(name: Name): number;
  getpeername?(name: Name): number;
  close(): void;
}

/** The address of a handle. */
interface Name {
  address?: string;
  port?: number;
}

/**
 * The backlog of an adopted listener: the default of systemd's `Backlog=` in version 252, and of Linux's
 * `net.core.somaxconn`, which limits it. Node cannot accept without calling listen(2), and thus sets the backlog anew.
 */
const BACKLOG = 4096;

/** The descriptors that were adopted. Their numbers are free again, for the next resources that the process opens. */
const adopted = new Set<number>();

/** The handles of descriptors that were refused: collecting one would close the descriptor. */
const refused: Handle[] = [];

/**
 * Makes a transport of a descriptor, which is closed: the transport has a copy.
 *
 * @throws {OSError} if the descriptor is not open, no socket, or one that Deno cannot adopt.
 */
export function adoptDescriptor(fd: number, wanted: WantedSocket): Transport {
  checkDescriptor(fd);
  const kind = nodeBinding("util").guessHandleType(fd);
  if (kind === "TCP") return adoptTcp(fd, wanted);
  if (kind === "PIPE") return adoptUnix(fd, wanted);
  if (kind === "UNKNOWN") return adoptUdp(fd, wanted);
  throw refusal(fd, "ENOTSOCK", "it is no socket");
}

function checkDescriptor(fd: number): void {
  if (!Number.isInteger(fd) || fd < 0) {
    throw new TypeError(
      `Cannot adopt a descriptor: it must be an integer from 0, got ${
        Deno.inspect(fd)
      }`,
    );
  }
  if (!canBindHandles()) {
    throw refusal(fd, "EOPNOTSUPP", "Deno cannot adopt sockets on this system");
  }
  if (adopted.has(fd)) throw refusal(fd, "EBUSY", "it was adopted before");
}

function refusal(fd: number, code: ErrnoName, reason?: string): Error {
  return osError(code, { syscall: `adopt descriptor ${fd}`, reason });
}

/** Returns the error for a negative errno. */
function failure(fd: number, status: number): Error {
  const code = errnoName(-status) ?? "EINVAL";
  if (code === "EBADF") return refusal(fd, code, "it is not open");
  return code === "EEXIST"
    ? refusal(fd, "EBUSY", "this process uses it already")
    : refusal(fd, code);
}

/** Opens a handle over a descriptor, to look at it. */
function look(fd: number, module: string, Class: string): Handle {
  const handle: Handle = new (nodeBinding(module)[Class])(SOCKET_HANDLE);
  const status = handle.open(fd);
  if (status !== 0) throw failure(fd, status);
  return handle;
}

/** Replaces a descriptor by a copy of it. */
function replace(fd: number, handle: Handle): number {
  const copy = handle.fdForIpc();
  if (!(copy >= 0)) {
    refused.push(handle);
    throw refusal(fd, "EMFILE");
  }
  handle.close();
  adopted.add(fd);
  return copy;
}

/** Throws unless a descriptor is of the family and the type that are wanted. */
function checkKind(
  fd: number,
  handle: Handle,
  family: number,
  type: number,
  wanted: WantedSocket,
): void {
  const { family: rightFamily = family, type: rightType = type } = wanted;
  if (family === rightFamily && type === rightType) return;
  refused.push(handle);
  const [code, reason] = family === rightFamily
    ? ["EINVAL", `its type is ${type} and not ${rightType}`] as const
    : [
      "EAFNOSUPPORT",
      `its family is ${nameOf(family)} and not ${nameOf(rightFamily)}`,
    ] as const;
  throw refusal(fd, code, reason);
}

function nameOf(family: number): string {
  if (family === AF_UNIX) return "AF_UNIX";
  if (family === AF_INET6) return "AF_INET6";
  return family === AF_INET ? "AF_INET" : `${family}`;
}

/** Checks an Internet socket, and returns its address and its family. */
function inspectInet(
  fd: number,
  handle: Handle,
  type: number,
  wanted: WantedSocket,
): [addr: TransportAddr, family: number] {
  const name: Name = {};
  handle.getsockname!(name);
  const { address: hostname = "", port = 0 } = name;
  const family = hostname.includes(":") ? AF_INET6 : AF_INET;
  checkKind(fd, handle, family, type, wanted);
  if (port === 0) {
    refused.push(handle);
    throw refusal(fd, "EINVAL", "the socket is neither bound nor connected");
  }
  const transport = type === SOCK_STREAM ? "tcp" : "udp";
  return [{ transport, hostname, port }, family];
}

function adoptTcp(fd: number, wanted: WantedSocket): Transport {
  const handle = look(fd, "tcp_wrap", "TCP");
  const [addr] = inspectInet(fd, handle, SOCK_STREAM, wanted);
  const connected = handle.getpeername!({}) === 0;
  const copy = replace(fd, handle);
  if (connected) {
    return new PassableStream(connectionOver({ fd: copy }), addr);
  }
  const listening = openServer(fd, copy);
  const status = listenAt(...listening, BACKLOG);
  if (status !== 0) throw failure(fd, status);
  return new NodeListener(...listening, addr, BACKLOG, true);
}

function adoptUnix(fd: number, wanted: WantedSocket): Transport {
  const handle = look(fd, "pipe_wrap", "Pipe");
  checkKind(fd, handle, AF_UNIX, SOCK_STREAM, wanted);
  const copy = replace(fd, handle);
  const addr = { transport: "unix", path: unixPathOf(copy) };
  const listening = openServer(fd, copy);
  const status = listenAt(...listening, BACKLOG);
  if (status === 0) return new NodeListener(...listening, addr, BACKLOG, true);
  if (status !== -errnoOf("EINVAL")) throw failure(fd, status); // a pipe
  return new PassableStream(connectionOver({ handle: listening[1] }), addr);
}

/**
 * Adopts a UDP socket through a copy: a handle of UDP closes a descriptor that it refuses, and the event loop of Deno
 * has one of the first numbers if the process got no sockets.
 */
function adoptUdp(fd: number, wanted: WantedSocket): Transport {
  const original = look(fd, "pipe_wrap", "Pipe");
  refused.push(original);
  const handle = lookAtUdp(fd, original.fdForIpc());
  const [, family] = inspectInet(fd, handle, SOCK_DGRAM, wanted);
  refused.splice(refused.indexOf(original), 1);
  original.close();
  adopted.add(fd);
  return datagramOf(handle, family);
}

/** Opens a handle over the copy of a descriptor. */
function lookAtUdp(fd: number, copy: number): Handle {
  if (!(copy >= 0)) throw refusal(fd, "EMFILE");
  const handle: Handle = new (nodeBinding("udp_wrap").UDP)(SOCKET_HANDLE);
  const status = handle.open(copy);
  if (status === 0) return handle;
  if (status !== -errnoOf("EINVAL")) throw failure(fd, status);
  throw refusal(
    fd,
    "EOPNOTSUPP",
    "Deno can adopt TCP and UDP sockets and Unix streams, and no Unix datagram socket or other kind",
  );
}

/** Opens a server over the copy of a descriptor. */
function openServer(fd: number, copy: number): [NetServer, ListenHandle] {
  const opened = serverOver(copy);
  if (typeof opened === "number") throw failure(fd, opened);
  return opened;
}

/** The kinds of permissions. Deno opens the files of `/proc` only with all of them. */
const KINDS = ["read", "write", "net", "env", "sys", "run", "ffi"];

/** Returns the path of a socket; "" without `--allow-all`, or if the socket has none. */
function unixPathOf(fd: number): string {
  if (
    Deno.build.os !== "linux" || !KINDS.every((name) => hasPermission({ name }))
  ) return "";
  const inode = /\d+/.exec(Deno.readLinkSync(`/proc/self/fd/${fd}`))?.[0];
  const sockets = Deno.readTextFileSync("/proc/net/unix"); // the inode and the path are the last columns
  const row = new RegExp(`^(?:\\S+ +){6}${inode} (.*)$`, "m").exec(sockets);
  return row?.[1].replace(/^@/, "\0") ?? "";
}
