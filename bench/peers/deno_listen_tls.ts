/**
 * The plain loop over `Deno.listenTls`. Prints its port.
 *
 *     deno run -A bench/peers/deno_listen_tls.ts certificate-and-key.pem [bytes of the buffer]
 */
const pem = Deno.readTextFileSync(Deno.args[0]);
const size = Number(Deno.args[1] ?? 65536);

async function echo(conn: Deno.TlsConn) {
  const buffer = new Uint8Array(size);
  for (;;) {
    const n = await conn.read(buffer);
    if (n === null) break;
    for (let sent = 0; sent < n;) {
      sent += await conn.write(buffer.subarray(sent, n));
    }
  }
  conn.close();
}

const listener = Deno.listenTls({
  hostname: "127.0.0.1",
  port: 0,
  cert: pem,
  key: pem,
});
console.log(listener.addr.port);
for await (const conn of listener) echo(conn).catch(() => conn.close());
