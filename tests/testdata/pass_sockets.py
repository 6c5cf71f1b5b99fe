"""
Passes sockets to a program and does not exec: pass_sockets.py KINDS PROGRAM [ARGUMENT...]. Each kind is the name of a
socket below; they get the numbers from 3 on. LISTEN_FDS is set, and LISTEN_PID to the program, whose last argument is the
directory of the Unix sockets.
"""
import os, socket, sys, tempfile

directory = tempfile.mkdtemp()


def listening(s):
    s.listen()
    return s


def bound(address, *kind):
    s = socket.socket(*kind)
    s.bind(address)
    return s


tcp = listening(bound(("127.0.0.1", 0)))
kinds = {
    "tcp": lambda: tcp,
    "tcp6": lambda: listening(bound(("::1", 0), socket.AF_INET6)),
    "bound": lambda: bound(("127.0.0.1", 0)),
    "unbound": lambda: socket.socket(),
    "connected": lambda: socket.create_connection(tcp.getsockname()),
    "udp": lambda: bound(("127.0.0.1", 0), socket.AF_INET, socket.SOCK_DGRAM),
    "unix": lambda: listening(bound(directory + "/stream", socket.AF_UNIX)),
    "abstract": lambda: listening(bound("\0" + directory, socket.AF_UNIX)),
    "pair": lambda: socket.socketpair()[0],
    "datagram": lambda: bound(directory + "/datagram", socket.AF_UNIX, socket.SOCK_DGRAM),
    "packets": lambda: listening(bound(directory + "/packets", socket.AF_UNIX, socket.SOCK_SEQPACKET)),
    "file": lambda: open(__file__),
    "pipe": lambda: os.fdopen(os.pipe()[0]),
    "wrong": lambda: listening(bound(("127.0.0.1", 0))),
    "wrongtype": lambda: bound(("127.0.0.1", 0), socket.AF_INET, socket.SOCK_DGRAM),
}
names = sys.argv[1].split(",")
files = [kinds[name]() for name in names]
# First far away, so that none of the numbers from 3 on is overwritten before it is copied.
far = [os.dup2(f.fileno(), 100 + i) for i, f in enumerate(files)]
os.closerange(3, 100)
for i, fd in enumerate(far):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ.update(
    LISTEN_FDS=str(len(names)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=":".join(names))
os.execvp(sys.argv[2], sys.argv[2:] + [directory])
