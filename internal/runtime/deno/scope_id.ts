/**
 * The scope of link-local IPv6 addresses, such as `%eth0`. Deno (2.9.6) accepts the scope in a host, but returns every
 * address without it.
 *
 * @module
 */

import type {
  DatagramTransport,
  ListenerTransport,
  StreamTransport,
  TransportAddr,
} from "../transport/transport.ts";

/** Returns the scope of a host with its percent sign; "" without one. */
export function scopeOf(host: string): string {
  const at = host.indexOf("%");
  return at < 0 ? "" : host.slice(at);
}

/** Adds a scope to a link-local address (RFC 4291, fe80::/10) that has none. */
function scoped(addr: TransportAddr, scope: string): TransportAddr {
  const { hostname = "" } = addr;
  const lacksScope = /^fe[89ab]/i.test(hostname) && !hostname.includes("%");
  return lacksScope ? { ...addr, hostname: hostname + scope } : addr;
}

/** Adds the scope of an interface to the addresses of a connection over it. */
export function scopedStream<T extends StreamTransport>(
  conn: T,
  scope: string,
): T {
  if (scope === "") return conn;
  return Object.defineProperties(conn, {
    localAddr: { value: scoped(conn.localAddr, scope) },
    remoteAddr: { value: scoped(conn.remoteAddr, scope) },
  });
}

/** Adds the scope of an interface to the addresses of a listener bound to it, and of its connections. */
export function scopedListener<T extends ListenerTransport>(
  listener: T,
  scope: string,
): T {
  if (scope === "") return listener;
  const accept = listener.accept.bind(listener);
  return Object.defineProperties(listener, {
    addr: { value: scoped(listener.addr, scope) },
    accept: { value: async () => scopedStream(await accept(), scope) },
  });
}

/** Adds the scope of an interface to the addresses of a datagram socket bound to it, and of the senders. */
export function scopedDatagram<T extends DatagramTransport>(
  socket: T,
  scope: string,
): T {
  if (scope === "") return socket;
  const receive = socket.receive.bind(socket);
  return Object.defineProperties(socket, {
    addr: { value: scoped(socket.addr, scope) },
    receive: {
      value: async (p?: Uint8Array) => {
        const [data, sender] = await receive(p);
        return [data, scoped(sender, scope)];
      },
    },
  });
}
