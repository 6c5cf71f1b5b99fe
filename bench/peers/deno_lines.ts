/**
 * The plain loop over `Deno.listen`, with a write for each line. Prints its port.
 *
 *     deno run --allow-net bench/peers/deno_lines.ts
 */
async function echo(conn: Deno.TcpConn) {
  conn.setNoDelay(true);
  const buffer = new Uint8Array(65536);
  let kept = 0; // bytes of a line that has begun
  for (;;) {
    const n = await conn.read(buffer.subarray(kept));
    if (n === null) break;
    const data = buffer.subarray(0, kept + n);
    let from = 0;
    for (let end; (end = data.indexOf(10, from)) >= 0; from = end + 1) {
      await conn.write(data.subarray(from, end + 1));
    }
    buffer.copyWithin(0, from, data.length);
    kept = data.length - from;
  }
  conn.close();
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(listener.addr.port);
for await (const conn of listener) echo(conn).catch(() => conn.close());
