"""
A service manager that restarts its service under load: hand_over.py RESTARTS WAYS PROGRAM... Opens a socket for each of
the WAYS, which it keeps open, and starts the program with them. Clients of each socket ask all the time. As soon as each
has got some answers the program gets SIGTERM, and another is started when it has ended. Prints the number of answers, and
what went wrong, as JSON.
"""
import json, os, signal, socket, ssl, sys, tempfile, threading

CLIENTS = 4  # of each socket: more than the server's maxConnections
ANSWERS = 8  # of each socket and server

restarts, ways, program = int(sys.argv[1]), sys.argv[2].split(","), sys.argv[3:]
directory = tempfile.mkdtemp()


def open_socket(index):
    unix = index % 2 == 1
    s = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    s.bind(f"{directory}/{index}" if unix else ("127.0.0.1", 0))
    s.listen(1000)
    return s


sockets = [open_socket(index) for index in range(len(ways))]
changed = threading.Condition()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
answers, failures, stopped = [0] * len(ways), [], False


def start():
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(write, 1)
        copies = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(sockets)]
        os.closerange(3, 100)
        for index, copy in enumerate(copies):
            os.dup2(copy, 3 + index)
            os.close(copy)
        os.environ.update(LISTEN_FDS=str(len(ways)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=":".join(ways))
        os.execvp(program[0], program)
    os.close(write)
    return pid, os.fdopen(read)


def client(index):
    listener = sockets[index]
    address = listener.getsockname()
    while not stopped:
        answer = None
        try:
            with socket.socket(listener.family) as s:
                s.settimeout(60)
                s.connect(address)
                if ways[index] == "Secure":
                    s = context.wrap_socket(s)
                s.sendall(b"hello\n")
                answer = s.recv(100)
        except OSError as error:
            answer = repr(error)
        with changed:
            if answer == b"HELLO\n":
                answers[index] += 1
            else:
                failures.append(f"{ways[index]}: {answer}")
            changed.notify()


threads = [threading.Thread(target=client, args=(i,), daemon=True) for i in range(len(ways)) for _ in range(CLIENTS)]
for thread in threads:
    thread.start()
reports = []
for _ in range(restarts + 1):
    pid, output = start()
    with changed:
        due = [count + ANSWERS for count in answers]
        changed.wait_for(lambda: failures or all(a >= b for a, b in zip(answers, due)), 60)
    if len(reports) == restarts:
        stopped = True
        for thread in threads:
            thread.join()
    os.kill(pid, signal.SIGTERM)
    reports.append((["", "no output"] + output.read().split("\n"))[-2])
    os.waitpid(pid, 0)
print(json.dumps({"answered": all(a >= ANSWERS * (restarts + 1) for a in answers), "failures": failures, "reports": reports, "answers": answers}))
