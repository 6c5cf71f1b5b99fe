"""CPython's servers. Prints the port.

    python3 bench/peers/python_socketserver.py threading|forking|udp echo|lines
"""

import socketserver
import sys


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Lines(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        data, socket = self.request
        socket.sendto(data, self.client_address)


class Server:
    request_queue_size = 1024
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # the load generator goes away in the middle of a message


class Threading(Server, socketserver.ThreadingTCPServer):
    pass


class Forking(Server, socketserver.ForkingTCPServer):
    pass


servers = {"threading": Threading, "forking": Forking, "udp": socketserver.UDPServer}
handlers = {"echo": Echo, "lines": Lines, "datagram": Datagram}
with servers[sys.argv[1]](("127.0.0.1", 0), handlers[sys.argv[2]]) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
