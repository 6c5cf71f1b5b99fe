/**
 * A web server for a directory, over TLS. The handler is that of `http.ts`.
 *
 *     deno run --allow-net --allow-read examples/https.ts [host] [port] [directory] [certificate] [key]
 *
 * Make a certificate with `openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext
 * subjectAltName=DNS:localhost -keyout key.pem -out cert.pem`, and try
 * `curl --cacert cert.pem https://localhost:8443/`. SIGHUP loads a new certificate; connections keep theirs.
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
import { FileHTTPRequestHandler } from "./http/file_handler.ts";

const [
  host = "localhost",
  port = "8443",
  directory = ".",
  certificate = "cert.pem",
  key = "key.pem",
] = Deno.args;

try {
  FileHTTPRequestHandler.directory = await Deno.realPath(directory);
  const ssl = new SSLContext(PROTOCOL_TLS_SERVER);
  ssl.loadCertChain(certificate, key);
  ssl.setAlpnProtocols(["http/1.1"]);
  const server = new AsyncTCPServer(
    [host, Number(port)],
    FileHTTPRequestHandler,
    {
      addressFamily: host.includes(":") ? AF_INET6 : AF_INET,
      reportLostClients: false,
      ssl,
    },
  );
  Deno.addSignalListener("SIGHUP", () => {
    try {
      ssl.reload();
    } catch (error) {
      console.error(error); // the old certificate stays
    }
  });
  console.log(`Listening on ${formatAddress(server.serverAddress)}`);
  await serve(server, { timeout: 5 }); // until Ctrl-C
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
