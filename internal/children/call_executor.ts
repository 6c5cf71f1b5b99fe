/**
 * Executes the calls that a child process makes to its server.
 *
 * @module
 */

import {
  type Address,
  type AddressLike,
  checkAddress,
  formatAddress,
} from "../base/address.ts";
import { ownBytes } from "../base/arguments.ts";
import {
  IPPROTO_TCP,
  SO_KEEPALIVE,
  SOL_SOCKET,
  TCP_NODELAY,
} from "../base/constants.ts";
import { type Failure, toFailure } from "../handoff/failure.ts";
import { osError } from "../base/translate_error.ts";
import { endRequest, sendtoWithin } from "../socket/server_calls.ts";
import { begun } from "../waiting/promises.ts";
import type { Socket } from "../socket/socket_object.ts";
import type { ChildPermissions } from "../handoff/permissions.ts";
import { maySendTo } from "../handoff/permissions.ts";
import {
  type CallMessage,
  CHUNK_MAX,
  type ResultMessage,
  type ShutdownMessage,
} from "./messages.ts";

/**
 * Executes a call. Rejects with the error of the call, which goes to the child. Throws a TypeError if the module's own
 * code in the child cannot have made the call.
 */
export type CallExecutor = (call: CallMessage) => Promise<unknown>;

/** Returns the executor for a connection whose descriptor stays in this process. The server closes the connection. */
export function streamExecutor(request: Socket): CallExecutor {
  return ({ operation, argument }) => {
    switch (operation) {
      case "read":
        return received(request, checkCount(argument));
      case "write":
        return request.sendall(checkChunk(argument));
      case "closeWrite":
        return begun(() => endRequest(request)); // throws on a closed socket
      case "close":
        return begin(() => request.close());
      case "abort":
        return begin(() => request.abort());
      case "setNoDelay":
        return begin(() =>
          request.setsockopt(IPPROTO_TCP, TCP_NODELAY, argument === true)
        );
      case "setKeepAlive":
        return begin(() =>
          request.setsockopt(SOL_SOCKET, SO_KEEPALIVE, argument === true)
        );
    }
    throw new TypeError(`Cannot ${operation}: the request is a stream`);
  };
}

async function received(request: Socket, count: number): Promise<Uint8Array> {
  return ownBytes(await request.recv(count));
}

// deno-lint-ignore require-await
async function begin(call: () => void): Promise<void> {
  call();
}

function checkCount(value: unknown): number {
  if (
    Number.isInteger(value) && value as number > 0 &&
    value as number <= CHUNK_MAX
  ) {
    return value as number;
  }
  throw new TypeError(`Cannot read ${Deno.inspect(value)} bytes`);
}

function checkChunk(value: unknown): Uint8Array {
  if (value instanceof Uint8Array && value.length <= CHUNK_MAX) return value;
  throw new TypeError("Cannot write: it is no chunk of bytes");
}

/**
 * Returns the executor for a datagram: it sends answers from the server's own address.
 *
 * @param socket The server's socket.
 * @param client The sender of the datagram. The child may always answer it.
 * @param permissions The permissions of the child, which say to what other addresses it may send.
 */
export function datagramExecutor(
  socket: Socket,
  client: Address,
  permissions: ChildPermissions,
): CallExecutor {
  return ({ operation, argument, address, timeout }) => {
    if (operation !== "sendto" || !(argument instanceof Uint8Array)) {
      throw new TypeError(`Cannot ${operation}: the request is a datagram`);
    }
    const target = checkAddress(socket.family, address, "sendto");
    if (!isSame(target, client) && !maySendTo(permissions, target)) {
      return Promise.reject(osError("EACCES", {
        syscall: "sendto",
        address: formatAddress(target),
        reason:
          "a child process sends to the client of its request, and elsewhere only what childPermissions.net lists",
      }));
    }
    const seconds = checkSeconds(timeout);
    return sendtoWithin(socket, argument, target, seconds);
  };
}

function checkSeconds(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && value >= 0 && value < Infinity) return value;
  throw new TypeError(`Cannot sendto within ${Deno.inspect(value)} seconds`);
}

function isSame(one: AddressLike, other: Address): boolean {
  return typeof one === "string" || typeof other === "string"
    ? one === other
    : one[0] === other[0] && one[1] === other[1];
}

/** Sends a message to a child, and calls `written` once it is written to the channel. */
interface ResultSender {
  send(result: ResultMessage, written: () => void): void;
}

/** The calls with which a child stops the loop of the server: one at a time, so that a child cannot fill its memory. */
export class ShutdownCalls {
  readonly #shutdown: () => Promise<void>;
  #busy = false;

  /** @param shutdown Stops the loop of the server. */
  constructor(shutdown: () => Promise<void>) {
    this.#shutdown = shutdown;
  }

  /**
   * Executes a call.
   *
   * @throws {TypeError} if the last call has not got its result.
   */
  execute({ call }: ShutdownMessage, messages: ResultSender): void {
    if (this.#busy) {
      throw new TypeError("a second shutdown came before the result");
    }
    this.#busy = true;
    const answer = (error?: Failure) => {
      const result: ResultMessage = { type: "result", call, error };
      messages.send(result, () => this.#busy = false);
    };
    this.#shutdown().then(
      () => answer(),
      (error) => answer(toFailure(error)),
    );
  }
}
