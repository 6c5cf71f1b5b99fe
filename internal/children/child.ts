/**
 * Runs in a child process: the channel to the server, and when to leave.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import { osError } from "../base/errors.ts";
import {
  ChildRequestRunner,
  type ImportHandler,
} from "./child_request_runner.ts";
import { withoutStack } from "../runtime/scarce.ts";
import type { RequestMessage, ToChild } from "./messages.ts";
import { ParentLink } from "./parent_link.ts";

/**
 * How often a child looks whether its server is there, in ms: arbitrary, a second is soon enough. The
 * channel tells it at once, but not always: Deno 2.9.6 has no "disconnect" for a server that was
 * killed before it had read all.
 */
const LOOK_MS = 1000;

/**
 * Serves requests that come over the channel, until it closes. The signals that a terminal or a
 * service manager sends to all processes of a group are left to the server, which drains.
 *
 * @param parent The number of the server's process.
 * @param importHandler Imports the module of the handler.
 * @returns Never.
 */
export function serve(
  parent: number,
  importHandler: ImportHandler,
): Promise<never> {
  const channel = globalThis.process;
  const send = channel.send!.bind(channel); // as it is before there are handlers, who may set another
  const link = new ParentLink((message, sent) => {
    if (!channel.connected) return;
    send(message, (error: Error | null) => error ? leave() : sent());
  });
  Object.freeze(ParentLink.prototype);
  const runner = new ChildRequestRunner(link, importHandler);
  channel.on("message", (message, socket) => {
    runner.onMessage(message as ToChild, socket as NetSocket | undefined);
  });
  channel.on("internalMessage", (message: unknown) => refuse(message, link));
  channel.on("disconnect", leave);
  Deno.addSignalListener("SIGINT", stay);
  if (Deno.build.os !== "windows") {
    Deno.addSignalListener("SIGTERM", stay);
    setInterval(() => Deno.ppid === parent || leave(), LOOK_MS);
  }
  return new Promise(() => {});
}

/** What Node sends in front of a connection. Seen as a message, it has come without one. */
interface HandleMessage {
  cmd?: string;
  msg?: RequestMessage;
}

/**
 * A connection did not arrive: this process has no descriptor left for it. Deno 2.9.6 would never
 * acknowledge it, and the server would wait for that; so it is done here.
 */
function refuse(message: unknown, link: ParentLink): void {
  const { cmd, msg } = message as HandleMessage;
  if (cmd !== "NODE_HANDLE" || msg === undefined) return;
  globalThis.process.send!({ cmd: "NODE_HANDLE_ACK" });
  withoutStack(() =>
    link.failed(msg.id, osError("EMFILE", { syscall: "recvmsg" }))
  );
}

function leave(): void {
  Deno.exit();
}

function stay(): void {}
