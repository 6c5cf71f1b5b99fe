/**
 * The session of a socket with TLS: its handshake, the facts about the peer, and its end.
 *
 * @module
 */

import { SSLWantReadError } from "../base/ssl_errors.ts";
import { osError } from "../base/translate_error.ts";
import { type AbortOptions, checkSignal } from "../waiting/abort.ts";
import { PendingOperation } from "../waiting/pending_operation.ts";
import type { WaitLimit } from "../waiting/timeouts.ts";
import { failLater } from "../waiting/turns.ts";
import { whenReady } from "../waiting/when_ready.ts";
import { passHeaderOn } from "../proxy/known_headers.ts";
import { factsOf, type SessionFacts } from "../runtime/tls/session_facts.ts";
import type { TlsStream } from "../runtime/tls/tls_stream.ts";
import { Socket, stateOf } from "../socket/socket_object.ts";
import type { SocketState } from "../socket/state.ts";
import type { ByteCounts, Stream } from "../socket/stream.ts";
import { unsupported } from "./context_settings.ts";

/** A socket with a session, and the setting of its context that the facts depend on. */
type SessionSocket = Socket & { context: { readonly verifyMode: number } };

/** The session of one socket. The socket owns the transport, whose close ends the session. */
export class TlsSession {
  readonly #socket: SessionSocket;
  #transport: TlsStream | undefined;
  /** The stream under the session, if a plain socket can have it again. */
  #plain: Stream | undefined;
  #facts: SessionFacts | undefined;
  #handshake: PendingOperation<void> | undefined;

  /** @param socket The socket, without its transport. */
  constructor(socket: SessionSocket) {
    this.#socket = socket;
  }

  /**
   * Gives the socket its transport.
   *
   * @param transport The transport, before its handshake.
   * @param plain The stream under it, if a plain socket can have that again.
   * @param counts The counts of the plain bytes so far.
   */
  attach(
    transport: TlsStream,
    plain: Stream | undefined,
    counts: ByteCounts,
  ): void {
    this.#transport = transport;
    this.#plain = plain;
    const state = stateOf(this.#socket);
    state.take(transport);
    state.stream!.continueCounts(counts);
  }

  /** Takes the facts of a session that is in another process or thread. */
  forward(facts: SessionFacts): void {
    this.#facts = facts;
  }

  /** Returns the facts about the session, which are read once; undefined before the handshake. */
  get facts(): SessionFacts | undefined {
    const session = this.#transport?.session;
    if (session === undefined) return this.#facts;
    return this.#facts ??= factsOf(session, this.#socket.context.verifyMode);
  }

  /** Makes the handshake, as `doHandshake` of the socket. */
  async handshake({ signal }: AbortOptions): Promise<void> {
    if (this.#facts !== undefined) return; // it has been made
    const state = stateOf(this.#socket);
    try {
      checkSignal(signal, "doHandshake");
      state.checkOpen("doHandshake");
      const limit = state.limit("doHandshake", undefined, signal);
      const handshake = this.#handshake ??= this.#begin(state);
      await whenReady(handshake, limit, "doHandshake", () => handshake.take());
      this.#handshake = state.handshake = undefined;
    } catch (error) {
      if (isWouldBlock(error)) throw wantRead();
      this.#handshake = state.handshake = undefined;
      return await failLater(error);
    }
  }

  #begin(state: SocketState): PendingOperation<void> {
    const transport = this.#transport!;
    return state.handshake = new PendingOperation(() => transport.handshake());
  }

  /** Ends the session, as `unwrap` of the socket, which counts as closed afterwards. */
  async unwrap({ signal }: AbortOptions): Promise<Socket> {
    const state = stateOf(this.#socket);
    try {
      checkSignal(signal, "unwrap");
      const plain = this.#unwrappable(state);
      return await this.#end(plain, state.limit("unwrap", undefined, signal));
    } catch (error) {
      return await failLater(error);
    }
  }

  /** Returns the stream under the session, or throws the error of `unwrap`. */
  #unwrappable(state: SocketState): Stream {
    state.checkOpen("unwrap");
    if (this.#transport?.session === undefined) {
      const reason = "the handshake has not ended";
      throw osError("ENOTCONN", { syscall: "unwrap", reason });
    }
    if (this.#plain !== undefined) return this.#plain;
    throw unsupported("unwrap", "the connection ends with TLS");
  }

  async #end(plain: Stream, limit: WaitLimit): Promise<Socket> {
    const socket = this.#socket;
    const state = stateOf(socket);
    const secured = state.connected("unwrap", "ENOTCONN");
    const { receiveBuffer, sendQueue } = secured;
    checkNotReading(receiveBuffer);
    try {
      await sendQueue.flush();
      const unread = receiveBuffer.available > 0;
      const transport = this.#transport!;
      const ended = new PendingOperation(() => transport.unwrap(unread));
      await whenReady(ended, limit, "unwrap", () => ended.take());
      plain.continueCounts({
        bytesIn: secured.bytesIn + plain.receiveBuffer.available,
        bytesOut: secured.bytesOut,
      });
      state.closeWithoutStream();
      return plainSocket(socket, plain);
    } catch (error) {
      socket.abort();
      throw error;
    }
  }
}

/** Throws if a call reads, or will get the bytes of a read in flight. */
function checkNotReading(receiveBuffer: Stream["receiveBuffer"]): void {
  const reading = receiveBuffer.reading && !receiveBuffer.ready;
  if (!reading && !receiveBuffer.awaited) return;
  const reason = "a read is in flight";
  throw osError("EBUSY", { syscall: "unwrap", reason });
}

/** Makes a plain socket with the settings of the one with TLS. */
function plainSocket(from: Socket, stream: Stream): Socket {
  const socket = new Socket(from.family, from.type, from.proto);
  const { timeout, deadline, options } = stateOf(from);
  const state = stateOf(socket);
  Object.assign(state, { timeout, deadline, options, stream });
  passHeaderOn(from, socket);
  return socket;
}

function isWouldBlock(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "EAGAIN";
}

function wantRead(): SSLWantReadError {
  const text = "the peer has not answered yet (EAGAIN)";
  return new SSLWantReadError(`Cannot doHandshake: WANT_READ: ${text}`, {
    syscall: "doHandshake",
  });
}
