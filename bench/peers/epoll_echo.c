/* The limit: an echo server over epoll in C. Prints its port. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[65536];

static int listening(void) {
  struct sockaddr_in a = {.sin_family = AF_INET};
  socklen_t length = sizeof a;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(fd, (struct sockaddr *)&a, length) < 0 || listen(fd, 1024) < 0) exit(1);
  getsockname(fd, (struct sockaddr *)&a, &length);
  printf("%d\n", ntohs(a.sin_port));
  fflush(stdout);
  return fd;
}

/* The load generator reads what it waits for, so a blocking send of a rest ends. */
static void echo(int fd) {
  ssize_t n = recv(fd, buffer, sizeof buffer, 0);
  if (n <= 0) {
    close(fd);
    return;
  }
  for (ssize_t sent = 0; sent < n;) {
    ssize_t m = send(fd, buffer + sent, n - sent, MSG_NOSIGNAL);
    if (m < 0) {
      close(fd);
      return;
    }
    sent += m;
  }
}

int main(void) {
  int listener = listening(), poller = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, events[256];
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
  for (;;) {
    int n = epoll_wait(poller, events, 256, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd != listener) {
        echo(fd);
        continue;
      }
      e.data.fd = accept(listener, NULL, NULL);
      if (e.data.fd >= 0) epoll_ctl(poller, EPOLL_CTL_ADD, e.data.fd, &e);
    }
  }
}
