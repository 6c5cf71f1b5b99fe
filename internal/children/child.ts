/**
 * The entry of a child process: the channel to the server, and when to exit.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import { osError } from "../base/translate_error.ts";
import {
  ChildRequestRunner,
  type ImportHandler,
} from "./child_request_runner.ts";
import { withoutStack } from "../runtime/system/free_descriptors.ts";
import type { RequestMessage, ToChild } from "./messages.ts";
import { ChildOutbox } from "./child_outbox.ts";
import { ParentLink } from "./parent_link.ts";

/**
 * The milliseconds between two checks of a child that its server still runs. Arbitrary: a second is soon enough. The
 * channel reports the end of the server at once, but not always: Deno 2.9.6 raises no "disconnect" if the server was
 * killed before it had read all messages.
 */
const LOOK_MS = 1000;

/**
 * Serves the requests that come over the channel, until it closes. Ignores the signals that a terminal or a service
 * manager sends to all processes of a group: the server handles them, and shuts down.
 *
 * @param parent The pid of the server.
 * @param importHandler Imports the module of the handler.
 * @returns Never.
 */
export function runChild(
  parent: number,
  importHandler: ImportHandler,
): Promise<never> {
  const channel = globalThis.process;
  const outbox = outboxOver(channel);
  const link = new ParentLink((message, sent) => outbox.post(message, sent));
  Object.freeze(ParentLink.prototype);
  Object.freeze(ChildOutbox.prototype);
  const runner = new ChildRequestRunner(link, importHandler, outbox);
  channel.on("message", (message, socket) => {
    runner.onMessage(message as ToChild, socket as NetSocket | undefined);
  });
  channel.on("internalMessage", (message: unknown) => refuse(message, link));
  channel.on("disconnect", leave);
  stayWhile(parent);
  return new Promise(() => {});
}

/** Returns the outbox of the channel. It keeps the `send` of the channel, which handlers may replace when they run. */
function outboxOver(channel: typeof globalThis.process): ChildOutbox {
  const send = channel.send!.bind(channel);
  return new ChildOutbox((message, handle, sent) => {
    if (!channel.connected) return;
    send(
      message,
      handle as NetSocket | undefined,
      {},
      (error: Error | null) => error ? leave() : sent?.(),
    );
  });
}

/** Ignores the signals that end a program, and exits when the server has ended. */
function stayWhile(parent: number): void {
  Deno.addSignalListener("SIGINT", stay);
  if (Deno.build.os === "windows") return;
  Deno.addSignalListener("SIGTERM", stay);
  setInterval(() => Deno.ppid === parent || leave(), LOOK_MS);
}

/** The internal message that carries a connection. Seen as a message, it has come without its connection. */
interface HandleMessage {
  cmd?: string;
  msg?: RequestMessage;
}

/**
 * Acknowledges and fails a connection that did not arrive, as this process has no descriptor left for it. Deno 2.9.6
 * never acknowledges it, and the server would wait for that.
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
