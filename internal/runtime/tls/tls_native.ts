/**
 * The native session under a `TLSSocket`, which `node:tls` hides (Deno 2.9.6). Without it, each peer counts as refused.
 *
 * @module
 */

import type { TLSSocket } from "node:tls";
import type { RawStream } from "./plain_duplex.ts";

/** The native session. */
interface NativeSession {
  /** Called when the connection has ended, with or without a close_notify. */
  emitEof?(): void;
  /** Returns the name of the fault of the peer's certificate; "" if there is none. */
  verifyError?(): string;
}

function nativeOf(tls: TLSSocket): NativeSession | undefined {
  return (tls as unknown as { _handle?: NativeSession | null })._handle ??
    undefined;
}

/** Returns the name of the fault of the peer's certificate; undefined if there is none. */
export function verdictOf(tls: TLSSocket): string | undefined {
  const native = nativeOf(tls);
  if (native?.verifyError === undefined) return "UNSPECIFIED";
  return native.verifyError() || undefined;
}

/**
 * Calls `callback` when the connection ends, before the session does. `node:tls` reports no end in the handshake, and
 * does not tell an end without a close_notify from one with it.
 *
 * @param callback Called with true if a close_notify came.
 * @returns A function that removes the callback.
 */
export function onEof(
  tls: TLSSocket,
  callback: (notified: boolean) => void,
): () => void {
  const native = nativeOf(tls);
  const emitEof = native?.emitEof;
  if (native === undefined || emitEof === undefined) return () => {};
  native.emitEof = () => {
    callback(isEnded(tls));
    emitEof.call(native);
  };
  return () => void (native.emitEof = emitEof);
}

/** The members in use of a handle of `node:net`. */
interface ReadHandle {
  readStart(): void;
  readStop(): void;
}

function handleOf(raw: RawStream): ReadHandle | null | undefined {
  return (raw as { _handle?: ReadHandle | null })._handle;
}

/**
 * Stops the reads under a session. `pause()` of the session does not (Deno 2.9.6): the session goes on decrypting, and
 * keeps all bytes in memory.
 */
export function holdBack(raw: RawStream): void {
  if ("_handle" in raw) handleOf(raw)?.readStop();
  else raw.pause();
}

/** Resumes the reads under a session. */
export function letCome(raw: RawStream): void {
  if ("_handle" in raw) handleOf(raw)?.readStart();
  else raw.resume();
}

/** Reports whether a session has read the end of the stream, also before the program has read it. */
export function isEnded(tls: TLSSocket): boolean {
  const { _readableState } = tls as unknown as {
    _readableState?: { ended: boolean };
  };
  return tls.readableEnded || _readableState?.ended === true;
}
