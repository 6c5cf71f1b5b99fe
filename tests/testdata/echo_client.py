"""Talks with an echo server: echo_client.py TYPE FAMILY ADDRESS..., all of socket's names, address as JSON.

Prints, as JSON, the answers to one question after the other, and to several at a time.
"""
import json
import os
import socket
import sys
import tempfile
import threading

kind = getattr(socket, sys.argv[1])
family = getattr(socket, sys.argv[2])
address = json.loads(sys.argv[3])
if isinstance(address, list):
    address = tuple(address)


def ask(question):
    with socket.socket(family, kind) as s, tempfile.TemporaryDirectory() as d:
        s.settimeout(20)
        if kind == socket.SOCK_DGRAM:
            if family == socket.AF_UNIX:
                s.bind(os.path.join(d, "client"))
            s.sendto(question.encode(), address)
            return s.recv(65536).decode()
        s.connect(address)
        s.sendall(question.encode())
        return s.makefile("r", encoding="utf-8", newline="\n").read()


questions = ["hello\n", "Grüße\n", "x" * 5000 + "\n"]
answers = [ask(question) for question in questions]
parallel = [None] * 10


def run(i):
    parallel[i] = ask(f"client {i}\n")


threads = [threading.Thread(target=run, args=(i,)) for i in range(10)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
json.dump({"answers": answers == questions, "parallel": parallel}, sys.stdout)
