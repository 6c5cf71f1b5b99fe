/**
 * The plain loop over `Deno.listen`. Prints its port.
 *
 *     deno run --allow-net bench/peers/deno_listen.ts [reuse|fresh] [bytes of the buffer]
 *
 * `fresh` makes an array for each read, as a function must that gives its result away.
 */
const fresh = Deno.args[0] === "fresh";
const size = Number(Deno.args[1] ?? 65536);

async function echo(conn: Deno.TcpConn) {
  let buffer = new Uint8Array(size);
  for (;;) {
    const n = await conn.read(buffer);
    if (n === null) break;
    for (let sent = 0; sent < n;) {
      sent += await conn.write(buffer.subarray(sent, n));
    }
    if (fresh) buffer = new Uint8Array(size);
  }
  conn.close();
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(listener.addr.port);
for await (const conn of listener) echo(conn).catch(() => conn.close());
