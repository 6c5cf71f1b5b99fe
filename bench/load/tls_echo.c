/*
 * Ping-pong over TLS: each connection sends a message, waits until all of it is back, and sends the next.
 *
 *     tls_echo PORT CONNECTIONS BYTES LINES SECONDS
 */
#include "tls.h"

struct conn {
  SSL *ssl;
  size_t sent, got;
  unsigned events;
};

static size_t size;
static char *message, *buffer;
static int poller;

static void watch(struct conn *c, unsigned events) {
  if (c->events == events) return;
  struct epoll_event e = {.events = events, .data.ptr = c};
  int op = c->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (epoll_ctl(poller, op, SSL_get_fd(c->ssl), &e) < 0) die("epoll_ctl");
  c->events = events;
}

/* Sends what goes, and asks to be told when the rest does. */
static void push(struct conn *c) {
  while (c->sent < size) {
    int n = SSL_write(c->ssl, message + c->sent, size - c->sent);
    if (n <= 0) return watch(c, wanted(c->ssl, n, "SSL_write"));
    c->sent += n;
  }
  watch(c, EPOLLIN);
}

/* Reads all that is there, since a session may hold more than the socket tells; 1 when the message was complete. */
static int pull(struct conn *c) {
  while (c->got < size) {
    int n = SSL_read(c->ssl, buffer, size - c->got);
    if (n <= 0) {
      wanted(c->ssl, n, "SSL_read");
      return 0;
    }
    c->got += n;
  }
  c->got = c->sent = 0;
  push(c);
  return 1;
}

int main(int argc, char **argv) {
  int port = number(argc, argv, 1), count = number(argc, argv, 2);
  size = number(argc, argv, 3);
  message = message_of(size, number(argc, argv, 4));
  double seconds = seconds_of(argc, argv, 5);
  buffer = malloc(size);
  poller = epoll_create1(0);
  SSL_CTX *context = client_context();
  alarm(120); /* a server that does not answer must not stop the whole run */
  struct conn *conns = calloc(count, sizeof *conns);
  for (int i = 0; i < count; i++) {
    SSL *ssl = conns[i].ssl = connected_tls(context, port);
    round_trip_tls(ssl, message, buffer, size);
    if (fcntl(SSL_get_fd(ssl), F_SETFL, O_NONBLOCK) < 0) die("fcntl");
  }
  alarm((unsigned)seconds + 20);
  double from = now(), cpu_from = cpu(), end = from + seconds;
  long done = 0;
  for (int i = 0; i < count; i++) push(&conns[i]);
  struct epoll_event events[256];
  while (now() < end || done == 0) { /* a first large message may take longer */
    int n = epoll_wait(poller, events, 256, 100);
    for (int i = 0; i < n; i++) {
      struct conn *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) push(c);
      if (events[i].events & ~EPOLLOUT) done += pull(c);
    }
  }
  report(done, from, cpu_from);
}
