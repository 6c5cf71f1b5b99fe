/**
 * A mail server that receives mail for any address into a maildir.
 *
 *     deno run --allow-net --allow-read --allow-write examples/smtp.ts [host] [port] [maildir] [seconds] [certificate] [key]
 *
 * A client has 300 seconds for a command, and twelve times as many for a mail, unless the command names another number.
 * With a certificate the server offers STARTTLS. Then try `swaks --server localhost:2525 --to you@example.org`, and
 * `--tls`.
 */
import {
  AF_INET,
  AF_INET6,
  AsyncTCPServer,
  formatAddress,
  serve,
} from "@socketserver/socketserver";
import {
  PROTOCOL_TLS_SERVER,
  SSLContext,
} from "@socketserver/socketserver/ssl";
import { SMTPHandler } from "./smtp/handler.ts";
import { Maildir } from "./smtp/maildir.ts";

const [
  host = "localhost",
  port = "2525",
  maildir = "Maildir",
  seconds = "300",
  certificate,
  key,
] = Deno.args;

class Handler extends SMTPHandler {
  override timeout = Number(seconds);
}

try {
  if (certificate !== undefined) {
    Handler.ssl = new SSLContext(PROTOCOL_TLS_SERVER);
    Handler.ssl.loadCertChain(certificate, key);
  }
  Handler.maildir = await Maildir.open(maildir);
  const server = new AsyncTCPServer([host, Number(port)], Handler, {
    addressFamily: host.includes(":") ? AF_INET6 : AF_INET,
    maxConnectionsPerClient: 50,
    reportLostClients: false,
  });
  console.log(`Listening on ${formatAddress(server.serverAddress)}`);
  await serve(server, { timeout: 5 }); // until Ctrl-C
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
