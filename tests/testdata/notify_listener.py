"""A service manager's socket: notify_listener.py PATH... prints each message of each socket as one line, as JSON."""
import json, select, socket, sys

sockets = []
for path in sys.argv[1:]:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(path.replace("@", "\0"))
    sockets.append(s)
print("ready", flush=True)
while True:
    for s in select.select(sockets, [], [])[0]:
        print(json.dumps(s.recv(4096).decode().split("\n")), flush=True)
