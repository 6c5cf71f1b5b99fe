/**
 * Resets of TCP connections. Deno (2.9.6) only ends them: its `close()` sends a FIN before anything else, which the
 * peer takes for the end of complete data.
 *
 * @module
 */

import { nextTurn } from "../../waiting/turns.ts";
import type { StreamTransport } from "../transport/transport.ts";

/** The part of Deno's internals that a reset needs. */
interface Core {
  /** The symbol under which a connection keeps the number of its resource. */
  internalRidSymbol: symbol;
  /** Ends the reads in flight of a resource. */
  cancelRead(rid: number): void;
}

/** The handle of a connection of `node:net`. */
interface TcpHandle {
  /** Copies the descriptor of a resource; returns 0, or an error number. */
  openFromRid(rid: number): number;
  /** Makes the last close of the connection reset it (SO_LINGER with 0), and closes the copy. */
  reset(callback: () => void): number;
}

interface TcpWrap {
  TCP: new (type: number) => TcpHandle;
}

/** Returns the internals of Deno under `Deno.internal`; undefined if there are none. */
function findCore(): Core | undefined {
  const hidden = Deno as unknown as { internal: symbol } & {
    [internal: symbol]: { core?: Core } | undefined;
  };
  return hidden[hidden.internal]?.core;
}

const core = findCore();

/** The turns of the event loop after which a cancelled read has ended, with one to spare. */
const READ_TURNS = 2;

/** No certificate: to start TLS with it fails, and drops the connection without a FIN. */
const NO_CERTIFICATE =
  "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----";

/** Reports whether `transport` is a TCP connection of Deno's, which {@linkcode resetConn} can reset. */
export function isResettable(
  transport: StreamTransport,
): transport is Deno.TcpConn {
  return core !== undefined && Deno.build.os !== "windows" &&
    "setNoDelay" in transport &&
    Object.hasOwn(transport, core.internalRidSymbol);
}

/** Makes the close of `conn` reset the connection, and ends its reads. Returns false if this Deno cannot. */
function prepare(conn: Deno.TcpConn): boolean {
  const { internalRidSymbol, cancelRead } = core!;
  const { process } = globalThis as unknown as {
    process: { binding(name: "tcp_wrap"): TcpWrap };
  };
  try {
    const rid = (conn as unknown as Record<symbol, number>)[internalRidSymbol];
    const handle = new (process.binding("tcp_wrap").TCP)(0);
    if (handle.openFromRid(rid) !== 0) return false; // no free descriptor, for instance
    handle.reset(() => {});
    cancelRead(rid);
    return true;
  } catch {
    return false;
  }
}

/**
 * Closes a TCP connection with a reset. No write may be in flight. Only ends the connection if this Deno cannot reset it.
 *
 * @param conn The connection.
 * @param readEnded Resolves to true when no read is in flight any more.
 */
export async function resetConn(
  conn: Deno.TcpConn,
  readEnded: () => Promise<boolean>,
): Promise<void> {
  const prepared = prepare(conn);
  for (let turn = 0; prepared && turn < READ_TURNS; turn++) await nextTurn();
  if (prepared && await readEnded()) {
    const options = { hostname: "localhost", caCerts: [NO_CERTIFICATE] };
    await Deno.startTls(conn, options).then((tls) => tls.close(), () => {});
  }
  try {
    conn.close();
  } catch {
    // it is closed, as it should be
  }
}
