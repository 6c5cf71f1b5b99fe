/**
 * What `node:tls` keeps to itself: the native session of a `TLSSocket` (Deno 2.9.6). Without it, a verdict counts as a
 * refusal.
 *
 * @module
 */

import type { TLSSocket } from "node:tls";
import type { RawStream } from "./plain_flow.ts";

/** The native session. */
interface NativeSession {
  /** Called when the connection has ended, with or without a close_notify before. */
  emitEof?(): void;
  /** Returns the name of what is wrong with the certificate of the peer; "" if nothing is. */
  verifyError?(): string;
}

function nativeOf(tls: TLSSocket): NativeSession | undefined {
  return (tls as unknown as { _handle?: NativeSession | null })._handle ??
    undefined;
}

/** Returns the name of what is wrong with the certificate of the peer; undefined if nothing is. */
export function verdictOf(tls: TLSSocket): string | undefined {
  const native = nativeOf(tls);
  if (native?.verifyError === undefined) return "UNSPECIFIED";
  return native.verifyError() || undefined;
}

/**
 * Calls `callback` when the connection ends, before the session does. `node:tls` shows an end in the handshake to nobody,
 * and an end without a close_notify as one with it.
 *
 * @param callback Called with whether a close_notify came.
 * @returns Forgets the callback.
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

/** The part of the handle of `node:net` in use. */
interface ReadHandle {
  readStart(): void;
  readStop(): void;
}

function handleOf(raw: RawStream): ReadHandle | null | undefined {
  return (raw as { _handle?: ReadHandle | null })._handle;
}

/**
 * Stops the reads under a session. `pause()` of the session does not (Deno 2.9.6): it would decrypt all that the peer
 * sends, and keep it in memory.
 */
export function holdBack(raw: RawStream): void {
  if ("_handle" in raw) handleOf(raw)?.readStop();
  else raw.pause();
}

/** Lets the reads under a session go on. */
export function letCome(raw: RawStream): void {
  if ("_handle" in raw) handleOf(raw)?.readStart();
  else raw.resume();
}

/** Reports whether a session has read the end, even if nobody has taken it yet. */
function isEnded(tls: TLSSocket): boolean {
  const { _readableState } = tls as unknown as {
    _readableState?: { ended: boolean };
  };
  return tls.readableEnded || _readableState?.ended === true;
}
