/*
 * Ping-pong: each connection sends a message, waits until all of it is back, and sends the next.
 *
 *     echo PORT CONNECTIONS BYTES LINES SECONDS
 */
#include "common.h"

struct conn {
  int fd;
  size_t sent, got;
};

static size_t size;
static char *message, *buffer;
static int poller;

static void watch(struct conn *c, int op, unsigned events) {
  struct epoll_event e = {.events = events, .data.ptr = c};
  if (epoll_ctl(poller, op, c->fd, &e) < 0) die("epoll_ctl");
}

/* Sends what goes, and asks to be told when the rest does. */
static void push(struct conn *c) {
  size_t before = c->sent;
  ssize_t n = send(c->fd, message + before, size - before, MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN) die("send");
  if (n > 0) c->sent += n;
  if (c->sent < size) {
    watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  } else if (before > 0) {
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
  }
}

/* Reads what is there; 1 when the message was complete. */
static int pull(struct conn *c) {
  ssize_t n = recv(c->fd, buffer, size, 0);
  if (n == 0 || (n < 0 && errno != EAGAIN)) die("recv");
  if (n < 0) return 0;
  c->got += n;
  if (c->got < size) return 0;
  c->got = c->sent = 0;
  push(c);
  return 1;
}

/* Opens a connection, and makes sure that it echoes before the next is opened: no backlog overflows. */
static void open_one(struct conn *c, int port) {
  c->fd = connected(SOCK_STREAM, port);
  round_trip(c->fd, message, buffer, size);
  if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0) die("fcntl");
  watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

int main(int argc, char **argv) {
  int port = number(argc, argv, 1), count = number(argc, argv, 2);
  size = number(argc, argv, 3);
  message = message_of(size, number(argc, argv, 4));
  double seconds = seconds_of(argc, argv, 5);
  buffer = malloc(size);
  poller = epoll_create1(0);
  alarm(120); /* a server that does not answer must not stop the whole run */
  struct conn *conns = calloc(count, sizeof *conns);
  for (int i = 0; i < count; i++) open_one(&conns[i], port);
  alarm((unsigned)seconds + 20);
  double from = now(), cpu_from = cpu(), end = from + seconds;
  long done = 0;
  for (int i = 0; i < count; i++) push(&conns[i]);
  struct epoll_event events[256];
  while (now() < end) {
    int n = epoll_wait(poller, events, 256, 100);
    for (int i = 0; i < n; i++) {
      struct conn *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) push(c);
      if (events[i].events & ~EPOLLOUT) done += pull(c);
    }
  }
  report(done, from, cpu_from);
}
