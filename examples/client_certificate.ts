/**
 * Greets clients by the names in their certificates, and refuses clients without a name.
 *
 *     deno run --allow-net --allow-read examples/client_certificate.ts [host] [port] [certificate] [key] [authority]
 *
 * The clients' certificates must come from the authority; `examples/README.md` has the commands that make them. Then
 * try `openssl s_client -connect localhost:9443 -CAfile ca.pem -cert client.pem -key client.key`.
 */
import {
  AF_INET,
  AF_INET6,
  AsyncTCPServer,
  formatAddress,
  type OSError,
  serve,
  StreamRequestHandler,
} from "@socketserver/socketserver";
import {
  CERT_REQUIRED,
  PROTOCOL_TLS_SERVER,
  SSLContext,
  SSLSocket,
} from "@socketserver/socketserver/ssl";

const [
  host = "localhost",
  port = "9443",
  certificate = "cert.pem",
  key = "key.pem",
  authority = "ca.pem",
] = Deno.args;

/** Returns the common name of the client; undefined if its certificate has none. */
function nameOf(socket: SSLSocket): string | undefined {
  const subject = new Map(socket.getpeercert()?.subject?.flat());
  return subject.get("commonName");
}

class Greeter extends StreamRequestHandler {
  override async handle() {
    const { request } = this;
    if (!(request instanceof SSLSocket)) throw new TypeError("no TLS");
    await this.wfile.write(
      `hello ${nameOf(request)}, over ${request.version()}\n`,
    );
  }
}

class Server extends AsyncTCPServer {
  /** Accepts clients that have a name. */
  override verifyPeer(request: SSLSocket) {
    return nameOf(request) !== undefined;
  }

  override handleHandshakeError(error: OSError, address: [string, number]) {
    console.error(`${formatAddress(address)}: ${error.message}`);
  }
}

try {
  const ssl = new SSLContext(PROTOCOL_TLS_SERVER);
  ssl.loadCertChain(certificate, key);
  ssl.verifyMode = CERT_REQUIRED;
  ssl.loadVerifyLocations(authority);
  const addressFamily = host.includes(":") ? AF_INET6 : AF_INET;
  const server = new Server([host, Number(port)], Greeter, {
    addressFamily,
    ssl,
  });
  console.log(`Listening on ${formatAddress(server.serverAddress)}`);
  await serve(server, { timeout: 1 }); // until Ctrl-C
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(1);
}
