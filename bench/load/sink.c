/*
 * Takes what a server sends until it closes; counts MiB.
 *
 *     sink PORT
 */
#include "common.h"

int main(int argc, char **argv) {
  alarm(60);
  double from = now(), cpu_from = cpu(), bytes = 0;
  int fd = connected(SOCK_STREAM, number(argc, argv, 1));
  for (;;) {
    ssize_t n = recv(fd, NULL, 1 << 20, MSG_TRUNC); /* thrown away in the kernel */
    if (n < 0) die("recv");
    if (n == 0) break;
    bytes += n;
  }
  report(bytes / (1 << 20), from, cpu_from);
}
