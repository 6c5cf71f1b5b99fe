/**
 * Sends its arguments to `examples/echo.ts`, which must run, and prints the answer.
 *
 *     deno run --allow-net examples/echo_client.ts hello world
 */
import { createConnection } from "@socketserver/socketserver";

const data = Deno.args.join(" ");
try {
  using socket = await createConnection(["localhost", 9999], { timeout: 10 });
  await socket.sendall(new TextEncoder().encode(`${data}\n`));

  using file = socket.makefile("r");
  const received = await file.readline();

  console.log(`Sent:     ${data}`);
  console.log(`Received: ${received.trimEnd()}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
