"""CPython's threading server with TLS; the handshake is made in the thread. Prints the port.

    python3 bench/peers/python_ssl.py certificate-and-key.pem
"""

import socketserver
import ssl
import sys

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 1024
    daemon_threads = True

    def get_request(self):
        request, address = super().get_request()
        request = context.wrap_socket(
            request, server_side=True, do_handshake_on_connect=False
        )
        return request, address

    def handle_error(self, request, client_address):
        pass  # the load generator goes away in the middle of a message


with Server(("127.0.0.1", 0), Echo) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
