/*
 * Connect, echo, close, over and over, several at a time.
 *
 *     connect PORT AT_A_TIME BYTES SECONDS
 *
 * Closed connections keep their ports for a minute, so each comes from one of 200 addresses of the
 * loopback network.
 */
#include "common.h"

struct conn {
  int fd, up;
  size_t got;
};

static struct sockaddr_in to;
static size_t size;
static char *message, *buffer;
static int poller;

static void watch(struct conn *c, int op, unsigned events) {
  struct epoll_event e = {.events = events, .data.ptr = c};
  if (epoll_ctl(poller, op, c->fd, &e) < 0) die("epoll_ctl");
}

static void begin(struct conn *c) {
  static unsigned turn;
  struct sockaddr_in from = {.sin_family = AF_INET};
  from.sin_addr.s_addr = htonl(0x7f010001 + turn++ % 200);
  int on = 1;
  *c = (struct conn){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
  if (c->fd < 0) die("socket");
  setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (bind(c->fd, (struct sockaddr *)&from, sizeof from) < 0) die("bind");
  if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) die("connect");
  watch(c, EPOLL_CTL_ADD, EPOLLOUT);
}

/* One step of a connection; 1 when it is done and closed. */
static int step(struct conn *c) {
  if (!c->up) {
    if (send(c->fd, message, size, MSG_NOSIGNAL) != (ssize_t)size) die("send");
    c->up = 1;
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
    return 0;
  }
  ssize_t n = recv(c->fd, buffer, size, 0);
  if (n <= 0) die("recv");
  c->got += n;
  if (c->got < size) return 0;
  close(c->fd);
  return 1;
}

int main(int argc, char **argv) {
  to = server(number(argc, argv, 1));
  int count = number(argc, argv, 2);
  size = number(argc, argv, 3);
  double seconds = seconds_of(argc, argv, 4);
  message = message_of(size, 1);
  buffer = malloc(size);
  poller = epoll_create1(0);
  struct conn *conns = calloc(count, sizeof *conns);
  alarm((unsigned)seconds + 20);
  double from = now(), cpu_from = cpu(), end = from + seconds;
  long done = 0;
  for (int i = 0; i < count; i++) begin(&conns[i]);
  struct epoll_event events[256];
  while (now() < end || done == 0) { /* a server may start its first process only now */
    int n = epoll_wait(poller, events, 256, 100);
    for (int i = 0; i < n; i++) {
      struct conn *c = events[i].data.ptr;
      if (!step(c)) continue;
      done++;
      begin(c);
    }
  }
  report(done, from, cpu_from);
}
