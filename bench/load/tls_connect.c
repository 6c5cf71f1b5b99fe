/*
 * Connect, make a full handshake, echo, close, over and over, several at a time.
 *
 *     tls_connect PORT AT_A_TIME BYTES SECONDS
 *
 * Closed connections keep their ports for a minute, so each comes from one of 200 addresses of the
 * loopback network.
 */
#include "tls.h"

struct conn {
  SSL *ssl;
  size_t sent, got;
  unsigned events;
};

static SSL_CTX *context;
static struct sockaddr_in to;
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

static void begin(struct conn *c) {
  static unsigned turn;
  struct sockaddr_in from = {.sin_family = AF_INET};
  from.sin_addr.s_addr = htonl(0x7f010001 + turn++ % 200);
  int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) die("socket");
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0) die("bind");
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) die("connect");
  *c = (struct conn){.ssl = session_on(context, fd)};
  SSL_set_connect_state(c->ssl);
  watch(c, EPOLLOUT);
}

/* One step of a connection; 1 when it is done and closed. The first write makes the handshake. */
static int step(struct conn *c) {
  while (c->sent < size) {
    int n = SSL_write(c->ssl, message + c->sent, size - c->sent);
    if (n <= 0) return watch(c, wanted(c->ssl, n, "handshake or SSL_write")), 0;
    c->sent += n;
  }
  while (c->got < size) {
    int n = SSL_read(c->ssl, buffer, size - c->got);
    if (n <= 0) return watch(c, wanted(c->ssl, n, "SSL_read")), 0;
    c->got += n;
  }
  int fd = SSL_get_fd(c->ssl);
  SSL_shutdown(c->ssl);
  SSL_free(c->ssl);
  close(fd);
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
  context = client_context();
  struct conn *conns = calloc(count, sizeof *conns);
  alarm((unsigned)seconds + 20);
  double from = now(), cpu_from = cpu(), end = from + seconds;
  long done = 0;
  for (int i = 0; i < count; i++) begin(&conns[i]);
  struct epoll_event events[256];
  while (now() < end || done == 0) {
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
