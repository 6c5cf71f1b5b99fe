/**
 * The state of a blocking socket.
 *
 * @module
 */

import { familyOf } from "../base/address.ts";
import { MSG_DONTWAIT, SOCK_DGRAM, SOCK_STREAM } from "../base/constants.ts";
import { osError } from "../base/translate_error.ts";
import type {
  OptionName,
  OptionTarget,
} from "../runtime/transport/socket_options.ts";
import type { SettingsState } from "../socket/settings.ts";
import type { SocketDeadline } from "../socket/state.ts";
import type { FilesState } from "../socket/socket_makefile.ts";
import {
  type BlockingDatagram,
  BlockingStream,
} from "./blocking_transports.ts";
import { Deadline, type Seconds } from "./deadline.ts";

/** The calls of a socket that would not block. */
export interface BlockingReadiness {
  readonly readable: boolean;
  readonly writable: boolean;
}

/** A reader over a socket, which may hold bytes that nobody has read. */
interface UnreadReader {
  readonly closed: boolean;
  readonly unread: boolean;
}

/** A socket of datagrams in `selectSync`: each datagram is a request of its own, and a send is never put off. */
const DATAGRAM_READINESS: BlockingReadiness = {
  readable: false,
  writable: true,
};

/** The connection or the datagram socket of a blocking socket, its settings, and the checks that several calls share. */
export class BlockingState implements SettingsState, FilesState<UnreadReader> {
  readonly family: number;
  readonly type: number;
  readonly stream: BlockingStream | undefined;
  readonly datagram: BlockingDatagram | undefined;
  readonly listening = false;
  timeout: Seconds = null;
  deadline: SocketDeadline | undefined;
  closed = false;
  closeWanted = false;
  files = 0;
  readers: UnreadReader[] | undefined;
  readonly #options = new Map<OptionName, number>();

  /** @param io The connection, or the datagram socket of the server. */
  constructor(io: BlockingStream | BlockingDatagram) {
    if (io instanceof BlockingStream) this.stream = io;
    else this.datagram = io;
    this.family = familyOf("addr" in io ? io.addr : io.localAddr);
    this.type = this.stream ? SOCK_STREAM : SOCK_DGRAM;
  }

  /** Throws EBADF on a closed socket. */
  checkOpen(syscall: string): void {
    if (!this.closed) return;
    throw osError("EBADF", { syscall, reason: "the socket is closed" });
  }

  /** Returns the stream. Throws an OSError for a datagram socket. */
  connected(
    syscall: string,
    code: "EDESTADDRREQ" | "ENOTCONN" | "EOPNOTSUPP",
    reason?: string,
  ): BlockingStream {
    this.checkOpen(syscall);
    if (this.stream !== undefined) return this.stream;
    throw osError(code, { syscall, reason });
  }

  /** Returns the stream to receive from. */
  reading(): BlockingStream {
    const reason = "in a worker each datagram is a request of its own";
    return this.connected("recv", "EOPNOTSUPP", reason);
  }

  /** Returns the time limit of a call that begins now. */
  limit(signal?: AbortSignal, bits = 0): Deadline {
    const { timeout, deadline } = this;
    if (bits & MSG_DONTWAIT || timeout === 0) {
      return new Deadline("now", signal);
    }
    if (deadline === undefined) return new Deadline(timeout, signal);
    const left = Math.max(0, deadline.due - performance.now()) / 1000;
    return timeout === null || left < timeout
      ? new Deadline(left, signal, deadline.seconds)
      : new Deadline(timeout, signal);
  }

  /** The calls that would not block. */
  get readiness(): BlockingReadiness {
    return this.stream ?? DATAGRAM_READINESS;
  }

  /** Whether a file over the socket has bytes or text that nobody has read. */
  get unread(): boolean {
    return this.readers?.some(({ unread }) => unread) ?? false;
  }

  target(): OptionTarget {
    return {
      type: this.type,
      values: this.#options,
      stream: this.stream?.options,
      open: true,
    };
  }

  /** Does nothing: no file holds bytes back, because a blocked thread could not send them. */
  hold(): void {}

  /** Blocks until the socket has bytes, or until `over`. Returns whether it has bytes; undefined if it is over. */
  waitReadable(over: () => boolean): boolean | undefined {
    return this.reading().waitReadable(this.limit(), over);
  }

  close(abort: boolean): void {
    if (this.closed) return;
    this.closed = true;
    if (abort) this.stream?.abort();
    else this.stream?.close();
  }
}
